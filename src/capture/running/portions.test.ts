/** Stacks that are taken up in several portions: what passes from one to the next is what would have passed on one stack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemble } from '../../../test/support/text.ts';
import { createMemory } from '../layout/memory.ts';
import { Machine } from './machine.ts';
import type { Outcome } from './machine.ts';
import { Program } from './program.ts';
import { createControl } from '../layout/entries.ts';
import { PORTION_BYTES } from './portions.ts';
import { decodeState, encodeState } from './state.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';
import type { MakeImports } from '../testing/harness.ts';

/** `fail` throws an error of the host, which code can catch. */
const imports: MakeImports = (log) => ({
  tell: (n: number): number => {
    log.push(String(n));
    return n;
  },
  fail: (): never => {
    log.push('fail');
    throw new Error('of the host');
  },
});

const PRELUDE = `
  (import "env" "tell" (func $tell (param i32) (result i32)))
  (import "env" "fail" (func $fail))
  (memory (export "memory") 1)
  (table funcref (elem $one $two))
  (tag $number (export "tag0") (param i32))
  (tag $vector (export "tag1") (param v128 f32))
  (func $say (param i32) (drop (call $tell (local.get 0))))
  (func $one (result i32) (call $tell (i32.const 1)))
  (func $two (result i32) (call $tell (i32.const 2)))`;

interface Case {
  readonly code: string;
  readonly end: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'results of all types of numbers, bit by bit': {
    end: '1',
    code: `
      (func $all (result i32 i64 f32 f64 v128)
        (call $say (i32.const 1))
        (i32.const -1) (i64.const 0x8000000000000001) (f32.const nan:0x200001) (f64.const -nan:0x4000000000001)
        (v128.const i32x4 1 2 3 0x7fa00001))
      (func $middle (result i32 i64 f32 f64 v128) (call $all) (call $say (i32.const 2)))
      (func (export "run") (result i32) (local i32 i64 f32 f64 v128)
        (call $middle) (local.set 4) (local.set 3) (local.set 2) (local.set 1) (local.set 0)
        (call $say (i32.const 3))
        (v128.store (i32.const 64) (local.get 4))
        (f64.store (i32.const 96) (local.get 3)) (f32.store (i32.const 104) (local.get 2))
        (i64.store (i32.const 112) (local.get 1)) (i32.store (i32.const 120) (local.get 0))
        (i32.eq (i32.load (i32.const 104)) (i32.const 0x7fa00001)))`,
  },
  'references among the results': {
    end: '2',
    code: `
      (type $to (func (result i32)))
      (func $get (result funcref externref funcref)
        (call $say (i32.const 5)) (ref.func $two) (ref.null extern) (ref.null func))
      (func $middle (result funcref externref funcref) (call $get))
      (func (export "run") (result i32)
        (local funcref externref funcref)
        (call $middle) (local.set 2) (local.set 1) (local.set 0)
        (call $say (i32.add (i32.const 7) (ref.is_null (local.get 1))))
        (call $say (i32.add (i32.const 9) (ref.is_null (local.get 2))))
        (table.set (i32.const 0) (local.get 0)) (call_indirect (type $to) (i32.const 0)))`,
  },
  'references in frames that wait': {
    end: '3',
    code: `
      (type $to (func (result i32)))
      (func $inner (result i32) (call $say (i32.const 4)) (call $one))
      (func $keeps (result i32) (local funcref)
        (local.set 0 (ref.func $two))
        (call $inner)
        (table.set (i32.const 0) (local.get 0))
        (call_indirect (type $to) (i32.const 0)) (i32.add))
      (func (export "run") (result i32) (call $keeps) (call $say (i32.const 6)))`,
  },
  'an exception passes a frame that has no handler and one of another tag': {
    end: '7',
    code: `
      (func $throws (call $say (i32.const 1))
        (throw $vector (v128.const i32x4 1 2 3 4) (f32.const nan:0x200001)))
      (func $passes (call $throws) (unreachable))
      (func $other (result i32)
        (block $caught (result i32)
          (try_table (catch $number $caught) (call $passes)) (i32.const 0)))
      (func (export "run") (result i32) (local f32)
        (block $caught (result v128 f32)
          (try_table (catch $vector $caught) (drop (call $other))) (unreachable))
        (local.set 0) (i32x4.extract_lane 2)
        (call $say (i32.const 2))
        (i32.add (i32.mul (i32.const 4) (i32.eq (i32.reinterpret_f32 (local.get 0)) (i32.const 0x7fa00001)))))`,
  },
  'one that is caught and thrown again': {
    end: 'exception tag0 9',
    code: `
      (func $throws (call $say (i32.const 1)) (throw $number (i32.const 9)))
      (func $again
        (block $caught (result exnref)
          (try_table (catch_all_ref $caught) (call $throws)) (unreachable))
        (call $say (i32.const 2))
        (throw_ref))
      (func (export "run") (result i32) (call $again) (unreachable))`,
  },
  'an error of the host is caught like any other': {
    end: '6',
    code: `
      (func $inner (call $say (i32.const 1)) (call $fail))
      (func $middle (call $inner) (unreachable))
      (func (export "run") (result i32)
        (block $caught (try_table (catch_all $caught) (call $middle)) (unreachable))
        (call $tell (i32.const 6)))`,
  },
  'a trap passes all handlers': {
    end: 'trap: unreachable',
    code: `
      (func $inner (call $say (i32.const 1)) (unreachable))
      (func $middle (block $caught (try_table (catch_all $caught) (call $inner))))
      (func (export "run") (result i32)
        (block $caught (try_table (catch_all $caught) (call $middle)))
        (i32.const 1))`,
  },
  'what is called next begins behind it': {
    end: '21',
    code: `
      (func $sum (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then
            (call $sum (i32.sub (local.get 0) (i32.const 1)))
            (call $say (local.get 0))
            (i32.add (local.get 0)))
          (else (call $say (i32.const 0)) (i32.const 0))))
      (func (export "run") (result i32) (call $sum (i32.const 6)))`,
  },
};

for (const [title, { code, end }] of Object.entries(CASES)) {
  test(title, () => {
    const program = subject(assemble(`(module ${PRELUDE} ${code})`), 'run', [], imports);
    const original = runOriginal(program);
    assert.equal(original.end, end);
    const { ticks } = runCaptured(program, () => false);
    // No portion has room for a second frame; two frames; all.
    for (const portionBytes of [1, 700, PORTION_BYTES]) {
      for (let at = 0; at <= ticks; at++) {
        const run = runCaptured(program, (tick) => at === 0 || tick === at, true, portionBytes);
        const { log, memory } = original;
        assert.deepEqual({ log: run.log, end: run.end, memory: run.memory }, { log, end, memory });
        assert.ok(original.where.startsWith(run.where));
        assert.equal(run.where === '', original.where === '');
        assert.ok(run.captures > 0);
      }
    }
  });
}

const DEEP = `(module
  (import "env" "tell" (func $tell (param i32) (result i32)))
  (func $deep (export "deep") (param i32) (result i32) (local ${'i64 '.repeat(200)})
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $tell (i32.const 0))))))`;

/**
 * @param frames of a stack that is captured
 * @param room calls what takes the stack up, somewhere deep in the stack of this thread
 * @returns what the outermost frame returns; null if there was no room for the frames, before or after
 */
function resumed(frames: number, portionBytes: number, room: (resume: () => Outcome) => Outcome): unknown {
  const program = Program.compile(assemble(DEEP));
  let stop = true;
  const make = (): Machine => {
    const tell = (n: number): number => (stop ? machine.unwind() : n);
    const machine: Machine = new Machine(program, {
      imports: { env: { tell } },
      memories: program.memories.map(createMemory),
      control: createControl(),
      poll: () => {},
      portionBytes,
    });
    return machine;
  };
  const first = make();
  first.initialise();
  try {
    const captured = first.call('deep', [frames]);
    assert.ok(captured.type === 'captured');
    const state = decodeState(encodeState(captured.state));
    stop = false;
    const outcome = room(() => make().resume(state));
    return outcome.type === 'returned' ? outcome.value : assert.fail();
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    return null;
  }
}

test('a run that an import begins while others wait, and that traps, leaves them waiting', () => {
  const program = Program.compile(
    assemble(`(module
      (import "env" "tell" (func $tell (param i32) (result i32)))
      (func (export "trap") (unreachable))
      (func $inner (result i32) (call $tell (i32.const 1)))
      (func $middle (result i32) (i32.add (i32.const 10) (call $inner)))
      (func (export "run") (result i32) (i32.add (i32.const 100) (call $middle))))`),
  );
  let stop = true;
  const make = (): Machine => {
    const tell = (n: number): number => {
      if (stop) machine.unwind();
      assert.throws(() => machine.call('trap', []), WebAssembly.RuntimeError);
      return n;
    };
    const machine: Machine = new Machine(program, {
      imports: { env: { tell } },
      memories: [],
      control: createControl(),
      poll: () => {},
      portionBytes: 1,
    });
    return machine;
  };
  const captured = make().call('run', []);
  assert.ok(captured.type === 'captured');
  stop = false;
  assert.deepEqual(make().resume(captured.state), { type: 'returned', value: 111 });
});

/** How many calls of itself the stack of this thread has room for. */
function depth(): number {
  let reached = 0;
  const deeper = (): void => {
    reached++;
    deeper();
  };
  assert.throws(deeper, RangeError);
  return reached;
}

function below<T>(calls: number, call: () => T): T {
  return calls === 0 ? call() : below(calls - 1, call);
}

test('a stack for which there is no room any more is taken up all the same', () => {
  let frames = 64;
  while (resumed(2 * frames, Number.POSITIVE_INFINITY, (resume) => resume()) !== null) frames *= 2;
  const half = depth() >> 1;
  const deepInside = (resume: () => Outcome): Outcome => below(half, resume);
  // So many frames have room on the whole of this thread's stack; what is left here is less.
  while (resumed(frames, Number.POSITIVE_INFINITY, deepInside) !== null) frames += frames >> 3;
  assert.equal(resumed(frames, PORTION_BYTES / 16, deepInside), frames);
});
