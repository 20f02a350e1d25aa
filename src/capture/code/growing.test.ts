/**
 * Memories that other threads grow. Run as a test this file starts itself as a thread: the thread's program waits for an
 * address in memory that this one has just added, and uses it at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { assemble } from '../../../test/support/text.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { Description } from '../description/describe.ts';
import { Machine } from '../running/machine.ts';
import { createControl } from '../layout/entries.ts';
import { createMemory, growMemory } from '../layout/memory.ts';
import { Program } from '../running/program.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

const PAGE = 65_536;
/** Pages that are added each time. */
const ADDED = 5;

/** What uses an address in the local `$p`, which is at the beginning of a page, and leaves nothing. */
const USES: Readonly<Record<string, string>> = {
  'atomic load': '(drop (i32.atomic.load (local.get $p)))',
  'atomic load at an offset':
    '(drop (i64.atomic.load offset=65528 (ADDRESS.sub (local.get $p) (ADDRESS.const 65528))))',
  'atomic store': '(i32.atomic.store8 (local.get $p) (i32.const 1))',
  'atomic addition': '(drop (i64.atomic.rmw.add (local.get $p) (i64.const 1)))',
  'compare and exchange': '(drop (i32.atomic.rmw.cmpxchg (local.get $p) (i32.const 0) (i32.const 1)))',
  notify: '(drop (memory.atomic.notify (local.get $p) (i32.const 1)))',
  wait: '(drop (memory.atomic.wait32 (local.get $p) (i32.const 99) (i64.const 0)))',
  fill: '(memory.fill (ADDRESS.sub (local.get $p) (ADDRESS.const 1)) (i32.const 1) (ADDRESS.const 2))',
  'long fill': `(memory.fill (local.get $p) (i32.const 1) (ADDRESS.const ${ADDED * PAGE}))`,
  'copy to it': '(memory.copy (local.get $p) (ADDRESS.const 16) (ADDRESS.const 8))',
  'copy from it': '(memory.copy (ADDRESS.const 16) (local.get $p) (ADDRESS.const 8))',
  init: '(memory.init $bytes (local.get $p) (i32.const 0) (i32.const 8))',
  size: `(if (ADDRESS.eq (memory.size) (ADDRESS.shr_u (local.get $p) (ADDRESS.const 16))) (then (unreachable)))`,
  'plain store': '(i32.store (local.get $p) (i32.const 1))',
};

const NAMES = Object.keys(USES);

/** Words of the memory: the address, and how often the thread has asked for one and used one. */
const ADDRESS = 0;
const ASKED = 1;
const USED = 2;

/** The functions `wait` and so on: ask for an address, wait until it is there, take it, and use it. */
function program(wide: boolean): Uint8Array<ArrayBuffer> {
  const address = wide ? 'i64' : 'i32';
  const functions = NAMES.map(
    (name) => `
    (func (export "${name}") (local $p ADDRESS)
      (drop (i32.atomic.rmw.add (ADDRESS.const ${4 * ASKED}) (i32.const 1)))
      (loop $again
        (br_if $again (ADDRESS.eqz (local.tee $p (ADDRESS.load32 (ADDRESS.const ${4 * ADDRESS}))))))
      ${USES[name]})`,
  );
  const text = `
    (module
      (memory (export "memory") ${wide ? 'i64 ' : ''}1 4096 shared)
      (data $bytes "bytes...")
      ${functions.join('')})`;
  return assemble(
    text.replaceAll('ADDRESS.load32', wide ? 'i64.atomic.load32_u' : 'i32.atomic.load').replaceAll('ADDRESS', address),
  );
}

interface Work {
  readonly original: Uint8Array<ArrayBuffer>;
  readonly rewritten: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly rounds: number;
  /** By name of a use: how often it trapped. */
  readonly traps: Int32Array;
}

/** A further thread of the program, which only knows of growth what V8 tells it. */
function use({ original, rewritten, memory, rounds, traps }: Work): void {
  const words = new Int32Array(memory.buffer);
  const control = createControl();
  const waiting = { wait32: () => 1, wait64: () => 1, notify: () => 0 };
  const machine = new Machine(Program.open(original, rewritten), {
    imports: {},
    memories: [memory],
    control,
    poll() {},
    waiting,
  });
  NAMES.forEach((name, i) => {
    for (let round = 0; round < rounds; round++) {
      try {
        machine.call(name, []);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        Atomics.add(traps, i, 1);
      }
      Atomics.store(words, ADDRESS, 0);
      Atomics.add(words, USED, 1);
    }
  });
}

/** Grows the memory once for each address that the thread asks for. @returns how often each use trapped, if it did */
async function grow(wide: boolean, rounds: number): Promise<Record<string, number>> {
  const original = program(wide);
  const rewritten = new WebAssembly.Module(rewrite(original).module);
  const [size] = Program.open(original, rewritten).memories;
  assert.ok(size !== undefined);
  const memory = createMemory(size);
  const traps = new Int32Array(new SharedArrayBuffer(4 * NAMES.length));
  const work: Work = { original, rewritten, memory, rounds, traps };
  const words = new Int32Array(memory.buffer);
  const worker = new Worker(new URL(import.meta.url), { workerData: work });
  let failure: unknown = null;
  worker.once('error', (error) => (failure = error));
  const counted = async (word: number, count: number): Promise<void> => {
    while (Atomics.load(words, word) < count) {
      if (failure !== null) throw failure;
      // oxlint-disable-next-line no-await-in-loop -- nobody tells: the thread is in its program's code
      await setImmediate();
    }
  };
  try {
    for (let turn = 1; turn <= NAMES.length * rounds; turn++) {
      // oxlint-disable-next-line no-await-in-loop -- one address after the other
      await counted(ASKED, turn);
      const added = memory.buffer.byteLength;
      growMemory(memory, ADDED, size);
      Atomics.store(words, ADDRESS, added);
      // oxlint-disable-next-line no-await-in-loop
      await counted(USED, turn);
    }
  } finally {
    await worker.terminate();
  }
  return Object.fromEntries(NAMES.map((name, i) => [name, traps[i]!] as const).filter(([, count]) => count > 0));
}

/** Addresses in and around a memory of two pages. */
const PLACES = [0, 4, PAGE, 2 * PAGE - 16, 2 * PAGE - 8, 2 * PAGE - 4, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 8, -8, -1];
const OFFSETS = [0, 4, PAGE, 2 ** 32 - 8];
const LENGTHS = [0, 1, 8, PAGE, -8];

/** Uses of a memory: what is written before and behind the immediates and operands that vary. */
const ACCESSES = [
  ['(drop (i32.atomic.load', '))'],
  ['(i64.atomic.store', '(i64.const -1))'],
  ['(drop (i32.atomic.rmw8.xchg_u', '(i32.const 7)))'],
  ['(drop (i64.atomic.rmw.cmpxchg', '(i64.const 0) (i64.const 3)))'],
  ['(drop (memory.atomic.notify', '(i32.const 1)))'],
] as const;

/** All that is done at one place, each by a function that says whether it trapped. */
function bounds(wide: boolean, place: number): string[] {
  const type = wide ? 'i64' : 'i32';
  const at = `(${type}.const ${place})`;
  const accesses = ACCESSES.flatMap(([before, behind]) =>
    OFFSETS.map((offset) => `${before} offset=${offset} ${at} ${behind}`),
  );
  const bulk = LENGTHS.flatMap((length) => [
    `(memory.fill ${at} (i32.const 5) (${type}.const ${length}))`,
    `(memory.copy ${at} (${type}.const 16) (${type}.const ${length}))`,
    `(memory.copy (${type}.const 16) ${at} (${type}.const ${length}))`,
    `(memory.init $bytes ${at} (i32.const 0) (i32.const ${length}))`,
  ]);
  return [...accesses, ...bulk];
}

if (!isMainThread && (workerData as Work | null)?.traps !== undefined) use(workerData as Work);
else {
  for (const wide of [false, true]) {
    test(`what another thread has added can be used at once, by ${wide ? 64 : 32}-bit addresses`, async () => {
      assert.deepEqual(await grow(wide, 20), {});
    });

    test(`what is out of bounds traps as in the original, by ${wide ? 64 : 32}-bit addresses`, () => {
      for (const place of PLACES) {
        for (const code of bounds(wide, place)) {
          // It has grown by one page, in the thread itself.
          const bytes = assemble(`
            (module
              (memory (export "memory") ${wide ? 'i64 ' : ''}1 4 shared)
              (data $bytes "bytes...")
              (func (export "run") (result ${wide ? 'i64' : 'i32'})
                (drop (memory.grow (${wide ? 'i64' : 'i32'}.const 1)))
                ${code}
                (memory.size)))`);
          const one = subject(bytes, 'run', [], () => ({}));
          const original = runOriginal(one);
          assert.deepEqual({ ...runCaptured(one, () => true), ticks: 0, captures: 0 }, original, code);
        }
      }
    });
  }

  test('a memory that nobody else can grow is used as it was', () => {
    const uses = (memory: string): boolean => {
      const described = new Description(
        decodeModule(
          assemble(`(module ${memory} (func (param i32) (result i32)
            (memory.fill (local.get 0) (i32.const 0) (i32.const 9))
            (i32.add (memory.size) (i32.atomic.load (local.get 0)))))`),
        ),
      );
      return described.rewritten(0).some(({ text }) => text === 'memory.grow');
    };
    assert.equal(uses('(memory 1 2 shared)'), true);
    for (const memory of ['(memory 2 2 shared)', '(memory 1 2)', '(memory 1)'])
      assert.equal(uses(memory), false, memory);
  });
}
