/** Copies of functions in continuations: a loop that was moved and refreshed calls those instead of the originals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { setEngineOptions } from '../../node/v8.ts';
import { locate } from '../running/locate.ts';
import type { ContinuationModule } from './link.ts';
import { NOTHING_SEEN } from './loop-calls.ts';
import { Machine } from '../running/machine.ts';
import { createMemory } from '../layout/memory.ts';
import { Program } from '../running/program.ts';
import { createControl } from '../layout/entries.ts';
import { decodeState, encodeState } from '../running/state.ts';
import { copyMemory, runCaptured, runOriginal, subject } from '../testing/harness.ts';

// So that V8 inlines the copies, as it does on a node.
setEngineOptions();

const ROUNDS = 48;
/** Which function is called by which entry, in the module below. */
const ENTRIES = ['double', 'told', 'divide', 'nested'] as const;

/**
 * A loop that calls functions through a table and one directly. Each `tell` is a safepoint inside of a function that may be
 * copied; `divide` traps if its argument is `trapAt`.
 * @param more declarations
 * @param last the entry that is called in the last round
 * @param first the first entry
 */
function looping(trapAt: number, more = '', last = 1, first = 1): Promise<Uint8Array> {
  return moduleBytes(`(module
    (import "env" "tell" (func $tell (param i32) (result i32)))
    (type $op (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table $table 70 funcref)
    (elem (i32.const ${first}) ${ENTRIES.map((name) => `$${name}`).join(' ')})
    ${more}
    (func $double (type $op) (i32.shl (local.get 0) (i32.const 1)))
    (func $told (type $op) (i32.add (call $tell (local.get 0)) (i32.const 1)))
    (func $divide (type $op) (i32.div_u (i32.const 1000) (i32.sub (local.get 0) (i32.const ${trapAt}))))
    (func $nested (type $op) (i32.add (local.get 0) (call $told (call $double (local.get 0)))))
    (func $other (type $op) (i32.const 5))
    (elem declare func $other)
    (func (export "run") (result i32) (local $i i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31))
          (call_indirect (type $op) (local.get $i)
            (select
              (i32.const ${last})
              (i32.add (i32.const ${first}) (i32.and (local.get $i) (i32.const 3)))
              (i32.eq (local.get $i) (i32.const ${ROUNDS - 1}))))))
        (local.set $sum (i32.xor (local.get $sum) (call $nested (local.get $i))))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${ROUNDS}))))
      (local.get $sum)))`);
}

/** What to do at a call of `tell`, counted from 1: have the run captured, or refreshed at its next poll. */
type Deed = 'capture' | 'refresh';

interface Seen {
  readonly log: readonly number[];
  readonly end: string;
  readonly where: readonly string[];
}

function answer(log: number[], value: number): number {
  log.push(value);
  return value * 3 + log.length;
}

/** Runs the program; each capture is resumed in a fresh instance. */
function run(program: Program, deeds: ReadonlyMap<number, Deed>): Seen {
  const log: number[] = [];
  const [size] = program.memories;
  let memory = createMemory(size!);
  let ticks = 0;
  let calledAgain = false;
  const make = (): Machine => {
    const control = createControl();
    const attention = new Int32Array(control.buffer, 0, 1);
    const tell = (value: number): number => {
      if (!calledAgain) {
        const deed = deeds.get(++ticks);
        if (deed === 'refresh') attention[0] = 1;
        if (deed === 'capture') {
          calledAgain = true;
          return machine.unwind();
        }
      }
      calledAgain = false;
      return answer(log, value);
    };
    const machine: Machine = new Machine(program, {
      imports: { env: { tell } },
      memories: [memory],
      control,
      poll: () => void attention.fill(0),
    });
    return machine;
  };
  try {
    let outcome = make().start('run');
    while (outcome.type === 'captured') {
      memory = copyMemory(memory, size!);
      outcome = make().resume(decodeState(encodeState(outcome.state)), 'run');
    }
    return { log, end: String(outcome.value), where: [] };
  } catch (error) {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    const where = locate(program, error).map(({ index, offset }) => `${index}@0x${offset.toString(16)}`);
    return { log, end: error.message, where };
  }
}

function original(bytes: Uint8Array): Seen {
  const log: number[] = [];
  const imports = { env: { tell: (value: number): number => answer(log, value) } };
  const { run: call } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), imports).exports;
  try {
    return { log, end: String((call as () => number)()), where: [] };
  } catch (error) {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    const entries = (error.stack ?? '').matchAll(/wasm-function\[(\d+)\]:(0x[0-9a-f]+)/g);
    return { log, end: error.message, where: Array.from(entries, ([, index, offset]) => `${index}@${offset}`) };
  }
}

/** The continuation of `run` at its first safepoint, not optimised or optimised, with all calls seen everywhere. */
function continuation({ original: module, linker }: Program, most: number): ContinuationModule {
  const { index } = module.exports.find(({ name }) => name === 'run')!;
  const { notes } = linker.continuation(index, 0, 0, NOTHING_SEEN);
  return linker.continuation(index, 0, most, new Map(notes.map((offset) => [offset, 0xffff_ffff_ffff_ffffn])));
}

for (const [title, trapAt] of [
  ['a loop that is moved and refreshed', 1000],
  ['one that traps in a copy', 38],
] as const) {
  test(`${title} goes on alike, moved once more at every safepoint`, async () => {
    const bytes = await looping(trapAt);
    const program = Program.compile(bytes);
    const [slow, optimised] = [continuation(program, 0), continuation(program, 10_000)];
    assert.deepEqual([slow.speed, slow.notes.length, optimised.speed], ['slow', 1, 'optimised']);
    // Without copies and comparisons it would be the shorter one, as it notes nothing.
    assert.ok(optimised.codeBytes > slow.codeBytes + 100);
    const expected = original(bytes);
    assert.equal(expected.where.length, trapAt === 38 ? 2 : 0);
    assert.deepEqual(run(program, new Map()), expected);
    for (let again = 21; again <= expected.log.length; again++) {
      const deeds = new Map<number, Deed>([
        [3, 'capture'],
        [20, 'refresh'],
        [again, 'capture'],
      ]);
      assert.deepEqual(run(program, deeds), expected, `captured once more at call ${again}`);
    }
  });
}

test('a trap in a copy is where it is in the original, whatever the entries', async () => {
  for (const first of [1, 60, 61, 63]) {
    for (const trapAt of [22, 26, 30, 34, 38]) {
      const bytes = await looping(trapAt, '', first, first);
      const expected = original(bytes);
      assert.equal(expected.where.length, 2);
      const deeds = new Map<number, Deed>([
        [3, 'capture'],
        [20, 'refresh'],
      ]);
      assert.deepEqual(run(Program.compile(bytes), deeds), expected, `entries from ${first}, trap in round ${trapAt}`);
    }
  }
});

test('what was not seen before the refresh is called through the table', async () => {
  const bytes = await looping(1000);
  const program = Program.compile(bytes);
  // Between the two only the first entries are called.
  for (const refresh of [2, 3, 4]) {
    const deeds = new Map<number, Deed>([
      [1, 'capture'],
      [refresh, 'refresh'],
    ]);
    assert.deepEqual(run(program, deeds), original(bytes));
  }
});

test('a call of an entry that is not there traps, also one with the bit of another', async () => {
  for (const last of [66, 5, 200]) {
    const bytes = await looping(1000, '', last);
    const program = Program.compile(bytes);
    const expected = original(bytes);
    assert.equal(expected.where.length, 1);
    for (const refresh of [2, 20]) {
      const deeds = new Map<number, Deed>([
        [1, 'capture'],
        [refresh, 'refresh'],
      ]);
      assert.deepEqual(run(program, deeds), expected);
    }
  }
});

test('nothing is assumed of tables that can change', async () => {
  for (const more of [
    '(export "table" (table $table))',
    '(func (export "change") (table.set $table (i32.const 2) (ref.func $other)))',
  ]) {
    const program = Program.compile(await looping(1000, more));
    assert.deepEqual(continuation(program, 0).notes, []);
  }
});

test('a captured copy is a frame of its original', async () => {
  const given = subject(await looping(38), 'run', [], (log) => ({
    tell: (value: number): number => {
      log.push(`tell ${value}`);
      return value + log.length;
    },
  }));
  const { log, end, where } = runOriginal(given);
  for (const wanted of [() => false, () => true, (tick: number): boolean => tick % 3 === 0]) {
    const captured = runCaptured(given, wanted);
    assert.deepEqual({ log: captured.log, end: captured.end }, { log, end });
    // Of callers, V8's optimised code often names another instruction.
    assert.equal(captured.where.split(' ')[0], where.split(' ')[0]);
  }
});
