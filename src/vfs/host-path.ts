/** Paths as the calls of `node:fs` take them. */
import { encodeOsText } from '../base/os-text.ts';

/** @param text a path (base/os-text.ts): as it is, or as its bytes where it is not UTF-8 */
export function hostPath(text: string): string | Buffer {
  return text.isWellFormed() ? text : Buffer.from(encodeOsText(text));
}
