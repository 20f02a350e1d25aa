/** Real programs: captured at safepoints, resumed in fresh instances, with the output and memory of a run without. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { fixture } from '../../test/support/build.ts';
import { RUNS } from '../../test/support/runs.ts';
import type { FixtureRun } from '../../test/support/runs.ts';
import { Machine } from './running/machine.ts';
import type { Outcome } from './running/machine.ts';
import { Program } from './running/program.ts';
import { createControl } from './layout/entries.ts';
import { rewrite } from './rewriting/rewrite.ts';
import { decodeState, encodeState } from './running/state.ts';
import { checksum } from './testing/harness.ts';
import { ProgramExit, wasiShim } from './testing/wasi.ts';

const programs = new Map<string, Promise<Program>>();

async function load(run: FixtureRun): Promise<Program> {
  const { bytes } = await fixture(run.fixture);
  return Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
}

function programOf(run: FixtureRun): Promise<Program> {
  let found = programs.get(run.fixture);
  if (found === undefined) programs.set(run.fixture, (found = load(run)));
  return found;
}

interface Result {
  readonly status: number | null;
  readonly trap: string | null;
  readonly stdout: string;
  readonly memory: number;
}

interface Plan {
  /** Is this safepoint to be captured? Polls are asked only while attention is raised. */
  readonly capture: () => boolean;
  /** Called with the attention word of each new instance. */
  readonly attend: (attention: Int32Array) => void;
}

const NO_CAPTURES: Plan = { capture: () => false, attend: () => {} };

function execute(program: Program, { fixture: name, args, env }: FixtureRun, plan: Plan): Result {
  const hash = createHash('sha256');
  const pages = program.memories[0]!;
  let memory = new WebAssembly.Memory({ initial: pages.initialPages, maximum: pages.maximumPages, shared: true });
  let machine: Machine | null = null;
  let calledAgain = false;
  const make = (): Machine => {
    const control = createControl();
    plan.attend(new Int32Array(control.buffer, 0, 1));
    const shim = wasiShim({
      args: [name, ...args],
      env: Object.entries(env ?? {}).map(([key, value]) => `${key}=${value}`),
      memory: () => memory,
      stdout: (bytes) => hash.update(bytes),
    });
    const watched = new Proxy(shim, {
      get:
        (calls, call) =>
        (...values: never[]): unknown => {
          if (!calledAgain && plan.capture()) {
            calledAgain = true;
            machine!.unwind();
          }
          calledAgain = false;
          return calls[String(call)]!(...values);
        },
    });
    machine = new Machine(program, {
      imports: { wasi_snapshot_preview1: watched },
      memories: [memory],
      control,
      poll: () => {
        if (plan.capture()) machine!.unwind();
      },
    });
    return machine;
  };
  const result = (status: number | null, trap: string | null): Result => ({
    status,
    trap,
    stdout: hash.digest('hex').slice(0, 16),
    memory: checksum(memory),
  });
  try {
    let outcome: Outcome = make().start();
    while (outcome.type === 'captured') {
      const copy = new WebAssembly.Memory({
        initial: memory.buffer.byteLength / 65_536,
        maximum: pages.maximumPages,
        shared: true,
      });
      new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer));
      memory = copy;
      outcome = make().resume(decodeState(encodeState(outcome.state)));
    }
    return result(0, null);
  } catch (error) {
    if (error instanceof ProgramExit) return result(error.status, null);
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return result(null, error.message);
    throw error;
  }
}

function check(run: FixtureRun, { status, trap, stdout }: Result): void {
  assert.equal(status, run.status ?? null, trap ?? '');
  assert.equal(stdout, run.stdout);
  if (run.trap !== undefined) assert.match(trap ?? '', run.trap);
}

const runs = RUNS.filter(({ directory, stdin }) => directory !== true && stdin === undefined);
const title = ({ fixture: name, args }: FixtureRun): string => [name, ...args].join(' ');

function raise(attention: Int32Array): void {
  attention[0] = 1;
}

/** Captures of one long run with a fresh instance each. */
const FRESH_CAPTURES = 40;
/** Safepoints of a tiny run that are captured with a fresh instance each: all but in the Lisp interpreter. */
const EVERY_SAFEPOINT = 2000;

for (const run of runs.filter(({ length, args }) => length === 'tiny' && args[0] !== 'stack')) {
  test(`${title(run)}: at every safepoint`, async () => {
    const program = await programOf(run);
    const plain = execute(program, run, NO_CAPTURES);
    check(run, plain);
    // Every poll unwinds the stack and takes it up again in the same instance.
    let safepoints = 0;
    const count = (): boolean => {
      safepoints++;
      return false;
    };
    assert.deepEqual(execute(program, run, { capture: count, attend: raise }), plain);
    const step = Math.max(1, Math.ceil(safepoints / EVERY_SAFEPOINT));
    let at = 0;
    assert.deepEqual(execute(program, run, { capture: () => at++ % step === 0, attend: raise }), plain);
  });
}

/** Raises the attention word of whichever instance runs, every few milliseconds, from another thread. */
class Raiser {
  readonly #worker = new Worker(
    `const { workerData: { pause } } = require('node:worker_threads');
     const words = [];
     require('node:worker_threads').parentPort.on('message', (word) => { words.push(word); });
     setInterval(() => { const word = words.at(-1); if (word) Atomics.store(word, 0, 1); }, pause);`,
    { eval: true, workerData: { pause: 4 } },
  );

  watch(attention: Int32Array): void {
    this.#worker.postMessage(attention);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

const raiser = new Raiser();
after(() => raiser.stop());

const LONG: ReadonlySet<string> = new Set([
  'awk',
  'blocks',
  'lisp',
  'ray',
  'simd',
  'features',
  'tail',
  'jumps',
  'throws',
  'throws_refs',
  'words',
  'life',
]);
const longRuns = runs.filter(
  ({ fixture: name, length }, i) =>
    length !== 'tiny' &&
    LONG.has(name) &&
    !runs.slice(0, i).some((run) => run.length === length && run.fixture === name),
);

for (const run of longRuns) {
  test(`${title(run)}: at any moment`, async () => {
    const program = await programOf(run);
    let captures = 0;
    let attention: Int32Array = new Int32Array(1);
    const result = execute(program, run, {
      attend: (word) => {
        attention = word;
        if (captures < FRESH_CAPTURES) raiser.watch(word);
      },
      capture: () => {
        if (Atomics.exchange(attention, 0, 0) === 0) return false;
        captures++;
        return true;
      },
    });
    check(run, result);
    if (run.length === 'long') assert.ok(captures > 0, 'the run was captured');
  });
}
