/** The smallest programs: captured at every safepoint that they pass, and each time resumed in a fresh worker. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { fixture } from '../../test/support/build.ts';
import { type FixtureRun, RUNS } from '../../test/support/runs.ts';
import { createMemory } from './memory.ts';
import { Program } from './program.ts';
import { checksum, copyMemory } from './testing/harness.ts';
import type { Captured, Step, StepEnd } from './testing/step.ts';

async function inWorker(step: Step): Promise<StepEnd> {
  const worker = new Worker(new URL('./testing/step.ts', import.meta.url), { workerData: step });
  const [end] = (await once(worker, 'message')) as [StepEnd];
  await worker.terminate();
  return end;
}

interface Result {
  readonly status: number | null;
  readonly trap: string | null;
  readonly stdout: string;
  readonly memory: number;
}

/** @returns how it ended, and how often it was captured on the way */
async function runSteps(
  run: FixtureRun,
  whole: boolean,
): Promise<{ readonly result: Result; readonly captures: number }> {
  const { bytes } = await fixture(run.fixture);
  const program = Program.compile(bytes);
  const [size] = program.memories;
  assert(size, 'a program of preview 1 has a memory');
  const { rewritten } = program;
  const env = Object.entries(run.env ?? {}).map(([key, value]) => `${key}=${value}`);
  const common = { bytes, rewritten, args: [run.fixture, ...run.args], env, whole };
  let memory = createMemory(size);
  let stdout = '';
  let from: Captured | null = null;
  for (let captures = 0; ; captures++) {
    const end: StepEnd = await inWorker({ ...common, memory, from });
    stdout += end.stdout;
    if (end.captured === null) {
      return { result: { status: end.status, trap: end.trap, stdout, memory: checksum(memory) }, captures };
    }
    from = end.captured;
    memory = copyMemory(memory, size);
  }
}

const SMALLEST: ReadonlySet<string> = new Set(['hello', 'return', 'exit', 'abort', 'divide', 'signature']);

for (const run of RUNS.filter(({ length }) => length === 'tiny')) {
  if (!SMALLEST.has(run.args[0] ?? run.fixture)) continue;
  test(`${[run.fixture, ...run.args].join(' ')}: every safepoint, every time a fresh worker`, async () => {
    const plain = await runSteps(run, true);
    const stepped = await runSteps(run, false);
    assert.deepEqual(stepped.result, plain.result);
    assert.equal(plain.captures, 0);
    assert.ok(stepped.captures > 10, `${stepped.captures} captures`);
  });
}
