/**
 * Workers for guests. Starting one takes longer than most of what a short program does, so one is always kept in
 * reserve. A worker serves one process and is then ended.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';

/** Started workers that wait for a guest. */
const SPARE_WORKERS = 1;

/**
 * How long after one was taken the next is started, in milliseconds: that takes a processor for 50 ms, which the
 * process that is starting or arriving right now, frozen at its source, needs more.
 */
const REFILL_MS = 100;

export class WorkerPool {
  readonly #spare: Worker[] = [];
  #closed = false;

  constructor() {
    this.#refill();
  }

  /** A worker that runs guest-worker.ts and has no setup yet. It keeps the daemon alive until it is terminated. */
  take(): Worker {
    const worker = this.#spare.pop() ?? startWorker();
    worker.ref();
    setTimeout(() => this.#refill(), REFILL_MS).unref();
    return worker;
  }

  /** Ends the spare workers; those taken are their takers' to end. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#spare.splice(0).map((worker) => worker.terminate()));
  }

  #refill(): void {
    while (!this.#closed && this.#spare.length < SPARE_WORKERS) {
      const worker = startWorker();
      worker.unref();
      worker.once('exit', () => {
        const at = this.#spare.indexOf(worker);
        if (at !== -1) this.#spare.splice(at, 1);
      });
      this.#spare.push(worker);
    }
  }
}

function startWorker(): Worker {
  const worker = new Worker(new URL(`./guest-worker${path.extname(import.meta.url)}`, import.meta.url), {
    // A guest's output goes through its descriptors; nothing in a worker writes to the daemon's own streams.
    stdout: false,
    stderr: false,
    env: {},
  });
  // Whoever takes the worker listens too; without a listener an error of a spare worker would end the daemon.
  worker.on('error', () => {});
  return worker;
}
