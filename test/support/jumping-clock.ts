/**
 * Loaded into a daemon by `--import`: at each SIGUSR2 its machine's wall clock is set, first a day ahead, then two days
 * back, and so on, for its workers too. The daemon's own code knows nothing of it.
 */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import threads, { type WorkerOptions } from 'node:worker_threads';

const DAY_MS = 86_400_000;
const KEY = 'jumping-clock';

/** How far the clock is ahead in days; written by the main thread alone. */
function sharedDays(): Int32Array {
  if (threads.isMainThread) {
    const days = new Int32Array(new SharedArrayBuffer(4));
    threads.setEnvironmentData(KEY, days);
    return days;
  }
  const days = threads.getEnvironmentData(KEY);
  assert(days instanceof Int32Array, 'a worker gets the offset of its daemon');
  return days;
}

const days = sharedDays();
const { now } = Date;
Date.now = () => now.call(Date) + Atomics.load(days, 0) * DAY_MS;

if (threads.isMainThread) {
  process.on('SIGUSR2', () => Atomics.store(days, 0, Atomics.load(days, 0) > 0 ? -1 : 1));
  const { Worker } = threads;
  // Node does not heed --import in a worker whose code is given as text.
  const preload = ['--require', fileURLToPath(import.meta.url)];
  threads.Worker = class extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...(options.execArgv ?? process.execArgv), ...preload] });
    }
  };
  syncBuiltinESMExports();
}
