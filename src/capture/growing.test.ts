/**
 * Memories that other threads grow. Run as a test this file starts itself as a thread: the thread's program waits for an
 * address in memory that this one has just added, and uses it at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { assemble } from '../../test/support/text.ts';
import { Machine } from './machine.ts';
import { createMemory, growMemory } from './memory.ts';
import { Program } from './program.ts';
import { CONTROL_PAGES, rewrite } from './rewrite.ts';

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
  const control = new WebAssembly.Memory({ initial: 1, maximum: CONTROL_PAGES, shared: true });
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
      growMemory(memory, 1, size);
      Atomics.store(words, ADDRESS, added);
      // oxlint-disable-next-line no-await-in-loop
      await counted(USED, turn);
    }
  } finally {
    await worker.terminate();
  }
  return Object.fromEntries(NAMES.map((name, i) => [name, traps[i]!] as const).filter(([, count]) => count > 0));
}

if (!isMainThread && (workerData as Work | null)?.traps !== undefined) use(workerData as Work);
else {
  for (const wide of [false, true]) {
    test(`what another thread has added can be used at once, by ${wide ? 64 : 32}-bit addresses`, async () => {
      assert.deepEqual(await grow(wide, 20), {});
    });
  }
}
