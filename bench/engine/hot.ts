/**
 * The process of `hotloop`, for one kernel. Argument: a HotJob. The run is captured once on its way and goes on in
 * another instance. A worker raises attention at the times that it is told.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Outcome } from '../../src/capture/running/machine.ts';
import { Program } from '../../src/capture/running/program.ts';
import { rewrite } from '../../src/capture/rewriting/rewrite.ts';
import { CAPTURE, EngineRun, GO_ON, SLOW, controlMemory } from './runs.ts';

export interface HotJob {
  readonly module: string;
  /** Of the run that is measured, and of those before it by which V8 optimises the program. */
  readonly args: readonly string[];
  readonly warm: readonly string[];
  /** When it is captured: in milliseconds, or as a part of the whole. */
  readonly at: { readonly ms: number } | { readonly part: number };
  /** When the rest is refreshed, in milliseconds. */
  readonly refresh: readonly number[];
}

export interface HotTimes {
  /** Milliseconds of CPU time: of the whole run uncaptured, of the part before the capture, of the rest. */
  readonly whole: number;
  readonly before: number;
  /** null if the program ended before it was captured. */
  readonly rest: number | null;
}

const RAISER = `
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ memory, at, bits, unless }) => {
  const words = new Int32Array(memory.buffer);
  for (const ms of at) setTimeout(() => words[unless] === 0 || Atomics.or(words, 0, bits), ms);
  parentPort.postMessage('set');
});`;

/** Runs that make V8 optimise everything. */
const WARM = 2;
const SETTLE_MS = 50;

const { module, args, warm, at, refresh } = JSON.parse(process.argv[2] ?? '') as HotJob;
const original = readFileSync(module);
const program = Program.open(original, new WebAssembly.Module(rewrite(original).module));
const raiser = new Worker(RAISER, { eval: true });
console.log(JSON.stringify(await measure()));
await raiser.terminate();

async function measure(): Promise<HotTimes> {
  for (let i = 0; i < WARM; i++) {
    timed(new EngineRun(program, { args: warm, control: controlMemory() }));
    await sleep(SETTLE_MS);
  }
  const { ms: whole } = timed(new EngineRun(program, { args, control: controlMemory() }));
  const control = controlMemory();
  const first = new EngineRun(program, { args, control });
  await raise(control, ['ms' in at ? at.ms : whole * at.part], CAPTURE);
  const { ms: before, outcome } = timed(first);
  if (outcome.type !== 'captured') return { whole, before, rest: null };
  const other = controlMemory();
  const second = new EngineRun(program, { args, control: other }, first);
  await raise(other, refresh, GO_ON);
  return { whole, before, rest: timed(second, outcome).ms };
}

/** Resolves when the times have begun to run. Who is not slow is not refreshed. */
function raise(memory: WebAssembly.Memory, at: readonly number[], bits: number): Promise<unknown> {
  const set = Promise.withResolvers<unknown>();
  raiser.once('message', set.resolve);
  raiser.postMessage({ memory, at, bits, unless: bits === GO_ON ? SLOW : -1 });
  return set.promise;
}

function timed(run: EngineRun, state?: Outcome & { readonly type: 'captured' }): { ms: number; outcome: Outcome } {
  const begin = process.threadCpuUsage();
  const outcome = run.run(state);
  const { user, system } = process.threadCpuUsage(begin);
  return { ms: (user + system) / 1000, outcome };
}
