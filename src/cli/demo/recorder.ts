/** Standard streams without a user: no input, all output kept. */
import { nullPort } from '../../node/null-stdio.ts';
import type { RunIo, StdioPort } from '../../node/daemon.ts';

/** Bytes of output kept of one run: the demonstration's programs print some hundred. */
const OUTPUT_LIMIT = 1024 * 1024;

export class Recorder {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** stdout and stderr in the order in which they were written. */
  output(): Buffer {
    return Buffer.concat(this.#parts);
  }

  io(): RunIo {
    return { stdin: nullPort('null'), stdout: this.#port(), stderr: this.#port(), terminal: null };
  }

  #port(): StdioPort {
    return {
      ...nullPort('null'),
      kind: 'pipe',
      write: (bytes, done) => {
        this.#size += bytes.length;
        // What is beyond the limit cannot be equal to a reference within it: both are cut, the sizes are told apart.
        if (this.#size <= OUTPUT_LIMIT) this.#parts.push(bytes.slice());
        queueMicrotask(() => done({ value: bytes.length }));
      },
    };
  }
}
