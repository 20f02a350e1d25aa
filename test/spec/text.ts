/**
 * The text format to binaries. The parser is that of wasm-tools, which reads all of the standard; the old form of
 * exception handling, which it has given up, is left to Binaryen.
 */
import { parse, print } from '@bytecodealliance/jco-transpile/wasm-tools';
import binaryen from 'binaryen';

/** `try`, `catch` and `rethrow` of the legacy proposal. */
const LEGACY_EXCEPTIONS = /\((?:do|catch|catch_all|rethrow|delegate)\b/;

/**
 * @param text `(module …)`
 * @returns the binary, not validated
 * @throws an error of the parser
 */
export async function moduleBytes(text: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await parse(escapeBeyondAscii(text)));
  } catch (error) {
    if (!LEGACY_EXCEPTIONS.test(text)) throw error;
    const module = binaryen.parseText(text);
    try {
      return new Uint8Array(module.emitBinary());
    } finally {
      module.dispose();
    }
  }
}

/** @returns a text of a binary that gives an equal module, but for ways to encode it */
export function moduleText(bytes: Uint8Array): Promise<string> {
  return print(bytes);
}

/** The parser refuses characters that could mislead a reader; the scripts have them in names on purpose. */
function escapeBeyondAscii(text: string): string {
  return text.replaceAll(/[^\0-\u{7f}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
