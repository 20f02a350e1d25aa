/** One line from standard input, for what must not stand on a command line, where every user of the machine sees it. */
import type { Readable } from 'node:stream';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/**
 * @returns the first line without its end, or all there is if the input ends before. What follows is lost, the stream
 *   is paused.
 * @throws GodwitError `usage` if the line is empty or too long, `io`
 */
export async function readLine(input: Readable, what: string): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of input.iterator({ destroyOnReturn: false })) {
      const bytes = Buffer.from(part as Uint8Array);
      parts.push(bytes);
      size += bytes.length;
      if (size > LIMITS.inputLineBytes || bytes.includes('\n')) break;
    }
  } catch (error) {
    throw new GodwitError('io', `cannot read ${what} from standard input: ${(error as Error).message}`, {
      cause: error,
    });
  }
  input.pause();
  const line = Buffer.concat(parts).toString().split('\n')[0]?.trim() ?? '';
  if (line.length === 0) throw new GodwitError('usage', `standard input has no ${what}; give it as one line`);
  if (size > LIMITS.inputLineBytes)
    throw new GodwitError('usage', `what standard input has is no ${what}: it is too long`);
  return line;
}
