/**
 * What of our own code ran: V8's precise coverage by blocks, asked for inside the process. Counts are exact, so they
 * serve twice: a block that was never reached before makes an input worth keeping, and the sum of all counts is a
 * measure of work that is the same on every machine, where a clock is not.
 */
import { Session } from 'node:inspector';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const SOURCES = pathToFileURL(path.join(import.meta.dirname, '../../src/')).href;

export interface Taken {
  /** Blocks that ran, each as often as it ran. */
  readonly steps: number;
  /** Blocks that ran for the first time, or about twice as often as ever before. */
  readonly fresh: number;
}

export class Coverage {
  readonly #session = new Session();
  /** By script and range: the highest power of two of the counts. */
  readonly #known = new Map<string, number>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many blocks were ever reached. */
  get blocks(): number {
    return this.#known.size;
  }

  /** What ran since the last time. @param learn whether that is known from now on */
  take(learn: boolean): Taken {
    let steps = 0;
    let fresh = 0;
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      for (const { url, scriptId, functions } of taken.result) {
        if (!url.startsWith(SOURCES) || url.includes('/testing/')) continue;
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count === 0) continue;
            steps += count;
            const key = `${scriptId} ${startOffset} ${endOffset}`;
            const power = 32 - Math.clz32(count);
            if ((this.#known.get(key) ?? 0) >= power) continue;
            fresh++;
            if (learn) this.#known.set(key, power);
          }
        }
      }
    });
    return { steps, fresh };
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }
}
