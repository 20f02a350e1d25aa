/** How long it takes from the wish to capture a program until it is captured, at random moments of its run. */
import { Worker } from 'node:worker_threads';
import { GodwitError } from '../src/base/errors.ts';
import { rewrite } from '../src/capture/rewriting/rewrite.ts';
import { setEngineOptions } from '../src/node/v8.ts';
import type { Benchmark, Context, Row } from './benchmark.ts';
import { BOARD, STATE } from './engine/captor.ts';
import type { CaptorData } from './engine/captor.ts';
import { CAPTURE, controlMemory } from './engine/runs.ts';
import { waitedMs } from './engine/waiting.ts';
import { KERNELS } from './kernels.ts';
import type { Kernel } from './kernels.ts';
import { percentile } from './statistics.ts';

/** Moments over all kernels. */
const MOMENTS = 10_000;
/**
 * The next moment is up to so many milliseconds after the program may go on: so it comes at any time of several runs, and
 * mostly when the last capture has been taken up.
 */
const LONGEST_PAUSE_MS = 20;
/** Between runs, and until a capture: longer is a fault. */
const PATIENCE_MS = 60_000;

export const reaction: Benchmark = {
  name: 'reaction',
  operands: '[KERNEL...]',
  summary: 'from the wish to capture a program until it is captured, at random moments',
  limit: 1200,
  columns: [
    { key: 'name', meaning: 'kernel; the last row is all of them together' },
    { key: 'moments', meaning: 'how many random moments' },
    { key: 'p50_ms', digits: 3, meaning: 'half of the captures took at most so long' },
    { key: 'p99_ms', digits: 3, meaning: '99 of 100 took at most so long' },
    { key: 'worst_ms', digits: 3, meaning: 'the longest' },
    {
      key: 'p99_running_ms',
      digits: 3,
      meaning: 'p99 without what the thread waited for a processor; null if not known',
    },
    { key: 'worst_running_ms', digits: 3, meaning: 'worst without that' },
  ],
  async *run(context) {
    setEngineOptions();
    const kernels = KERNELS.filter(({ name }) => context.operands.length === 0 || context.operands.includes(name));
    const all: Sample[] = [];
    for (const kernel of kernels) {
      context.signal.throwIfAborted();
      const times = await measure(kernel, context.tiny ? 3 : Math.ceil(MOMENTS / kernels.length), context);
      all.push(...times);
      yield row(kernel.name, times);
    }
    yield row('all', all);
  },
};

/** Milliseconds from the wish to the capture, in all, and without waiting for a processor. */
interface Sample {
  readonly ms: number;
  readonly running: number | null;
}

function row(name: string, samples: readonly Sample[]): Row {
  const times = samples.map(({ ms }) => ms);
  const running = samples.map((sample) => sample.running).filter((ms) => ms !== null);
  const known = running.length === samples.length;
  return {
    name,
    moments: times.length,
    p50_ms: percentile(times, 0.5),
    p99_ms: percentile(times, 0.99),
    worst_ms: percentile(times, 1),
    p99_running_ms: known ? percentile(running, 0.99) : null,
    worst_running_ms: known ? percentile(running, 1) : null,
  };
}

async function measure(kernel: Kernel, moments: number, { signal }: Context): Promise<Sample[]> {
  const { path, bytes } = await kernel.load();
  const control = controlMemory();
  const attention = new Int32Array(control.buffer, 0, 1);
  const board = new SharedArrayBuffer(BOARD.bytes);
  const words = new Int32Array(board);
  const captured = new BigInt64Array(board);
  const workerData: CaptorData = {
    original: path,
    rewritten: new WebAssembly.Module(rewrite(bytes).module),
    args: kernel.full.split(' '),
    control,
    board,
  };
  const worker = new Worker(new URL('engine/captor.ts', import.meta.url), { workerData });
  const failed = Promise.withResolvers<never>();
  worker.once('error', failed.reject);
  failed.promise.catch(() => {});
  const times: Sample[] = [];
  try {
    while (times.length < moments) {
      signal.throwIfAborted();
      // Errors of the worker arrive between the moments.
      await Promise.race([new Promise(setImmediate), failed.promise]);
      const state = Atomics.load(words, BOARD.state);
      // The run had ended when attention was raised, and the next one has begun with it.
      if (state === STATE.told) goOn(words);
      if (state === STATE.between) Atomics.wait(words, BOARD.state, STATE.between, PATIENCE_MS);
      if (Atomics.load(words, BOARD.state) !== STATE.running) continue;
      Atomics.wait(words, BOARD.state, STATE.running, Math.random() * LONGEST_PAUSE_MS);
      if (Atomics.load(words, BOARD.state) !== STATE.running) continue;
      const thread = words[BOARD.thread]!;
      const waited = waitedMs(thread);
      const begin = process.hrtime.bigint();
      Atomics.store(attention, 0, CAPTURE);
      if (Atomics.wait(words, BOARD.state, STATE.running, PATIENCE_MS) === 'timed-out')
        throw new GodwitError('internal', `${kernel.name} was not captured within ${PATIENCE_MS / 1000} s`);
      if (Atomics.load(words, BOARD.state) === STATE.told) {
        const ms = Number(captured[BOARD.time]! - begin) / 1e6;
        const waits = waitedMs(thread);
        // What it had waited before the wish may be in it too.
        times.push({ ms, running: waited === null || waits === null ? null : Math.max(ms - (waits - waited), 0) });
        goOn(words);
      }
    }
  } finally {
    Atomics.store(words, BOARD.end, 1);
    goOn(words);
    Atomics.store(attention, 0, CAPTURE);
    // Resolves at its end, also when that has been: after an error it comes in the same turn.
    await worker.terminate();
  }
  return times;
}

/** Lets the worker go on after a capture. */
function goOn(words: Int32Array): void {
  Atomics.store(words, BOARD.state, STATE.running);
  Atomics.notify(words, BOARD.state);
}
