/** What `godwit up --json` prints, once, when the node is ready. */
import type { Readable } from 'node:stream';
import { GodwitError } from '../base/errors.ts';
import type { JoinToken } from '../node/daemon.ts';

export interface UpJson {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  /** Path of the control socket. */
  readonly socket: string;
  /** Of the operating-system process. */
  readonly pid: number;
  /** null: this node cannot give out tokens now. */
  readonly join: JoinToken | null;
}

/** Bytes that the line may have: far more than it ever has. */
const LINE_LIMIT = 65_536;

/**
 * Waits for the line.
 * @returns null if the stream ends without it
 * @throws GodwitError if something else comes
 */
export function parseReady(stream: Readable): Promise<UpJson | null> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (part: Buffer): void => {
      text += part.toString();
      const end = text.indexOf('\n');
      if (end === -1 && text.length < LINE_LIMIT) return;
      stream.removeListener('data', take);
      // What comes later is of no interest, but the writer must not block on it.
      stream.resume();
      try {
        resolve(JSON.parse(text.slice(0, end)) as UpJson);
      } catch (error) {
        reject(new GodwitError('internal', `"godwit up" printed something else than JSON`, { cause: error }));
      }
    };
    stream.on('data', take);
    stream.on('close', () => resolve(null));
  });
}
