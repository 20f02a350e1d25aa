/**
 * Exception handling in its two forms, each construct by itself: the program behaves alike in the original, rewritten,
 * and captured at every safepoint.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemble } from '../../../test/support/text.ts';
import { Machine } from '../running/machine.ts';
import { Program } from '../running/program.ts';
import { createControl } from '../layout/entries.ts';
import { rewrite } from './rewrite.ts';
import { decodeState, encodeState } from '../running/state.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';
import type { MakeImports } from '../testing/harness.ts';

const imports: MakeImports = (log) => ({
  tell: (n: number): number => {
    log.push(String(n));
    return n * 2;
  },
});

/** What every module begins with; `$tell` is a safepoint, `$boom` tells of itself and throws. */
const PRELUDE = `
  (type $i2i (func (param i32) (result i32)))
  (import "env" "tell" (func $tell (type $i2i)))
  (memory (export "memory") 1)
  (table funcref (elem $tell $boom))
  (tag $number (export "tag0") (param i32))
  (tag $nothing (export "tag1"))
  (tag $many (export "tag2") (param i64 f32 f64 v128 funcref))
  (func $boom (type $i2i) (drop (call $tell (local.get 0))) (throw $number (local.get 0)))
  (func $many
    (throw $many (i64.const 5) (f32.const 1.5) (f64.const 2.5) (i8x16.splat (i32.const 3)) (ref.func $boom)))`;

/** @returns what the program told, and its end */
function sameEverywhere(code: string): { readonly log: string; readonly end: string; readonly captures: number } {
  const program = subject(assemble(`(module ${PRELUDE} ${code})`), 'run', [], imports);
  const { log, end, where, memory } = runOriginal(program);
  const { ticks } = runCaptured(program, () => false);
  let captures = 0;
  for (let at = 0; at <= ticks; at++) {
    const run = runCaptured(program, (tick) => at === 0 || tick === at);
    assert.deepEqual({ log: run.log, end: run.end, where: run.where, memory: run.memory }, { log, end, where, memory });
    captures += run.captures;
  }
  assert.ok(captures > 0);
  return { log: log.join(' '), end, captures };
}

interface Case {
  readonly code: string;
  readonly log: string;
  readonly end: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'a local that is only read where an exception leads to': {
    log: '1',
    end: '42',
    code: `(func (export "run") (result i32) (local $x i32)
      (local.set $x (i32.const 42))
      (block $caught (try_table (catch_all $caught) (drop (call $boom (i32.const 1)))) (unreachable))
      (local.get $x))`,
  },
  'a local that is only read behind a clause of the older form, and written behind what throws': {
    log: '1',
    end: '42',
    code: `(func (export "run") (result i32) (local $x i32)
      (local.set $x (i32.const 42))
      (try (do (drop (call $boom (i32.const 1))) (local.set $x (i32.const 5))) (catch_all))
      (local.get $x))`,
  },
  'a try_table around a safepoint still catches after a resume': {
    log: '1 2 3',
    end: '8',
    code: `(func (export "run") (result i32)
      (i32.const 1)
      (block $caught (result i32)
        (try_table (result i32) (catch $number $caught)
          (drop (call $tell (i32.const 1)))
          (drop (call $boom (i32.const 2)))
          (i32.const 100))
        (return))
      (i32.add (call $tell (i32.const 3)))
      (i32.add) (i32.const -1) (i32.add))`,
  },
  'catch_all and catch_all_ref let unwinding through': {
    log: '1 2 9',
    end: 'exception tag0 2',
    code: `(func (export "run") (result i32) (local $e exnref)
      (block $all (try_table (catch_all $all) (drop (call $tell (i32.const 1))) (throw $nothing)))
      (block $ref (result exnref)
        (try_table (catch_all_ref $ref) (drop (call $boom (i32.const 2))))
        (return (i32.const 7)))
      (local.set $e)
      (drop (call $tell (i32.const 9)))
      (throw_ref (local.get $e)))`,
  },
  'an exception on the operand stack is made anew with all that it carries': {
    log: '4 5 42',
    end: '5 1.5 2.5 1',
    code: `(func (export "run") (result i64 f32 f64 i32) (local $v v128) (local $f funcref)
      (block $values (result i64 f32 f64 v128 funcref)
        (try_table (catch $many $values)
          (block $ref (result exnref)
            (try_table (catch_all_ref $ref) (call $many))
            (unreachable))
          (drop (call $tell (i32.const 4)))
          (block (param exnref) (result exnref) (drop (call $tell (i32.const 5))))
          (throw_ref))
        (unreachable))
      (local.set $f) (local.set $v)
      (table.set (i32.const 0) (local.get $f))
      (block $end (try_table (catch_all $end)
        (drop (call_indirect (type $i2i) (i32.const 42) (i32.const 0)))))
      (i32.eq (i32x4.extract_lane 2 (local.get $v)) (i32.const 0x03030303)))`,
  },
  'an exception in a global, and a null one': {
    log: '1 6',
    end: 'trap: rethrowing null value',
    code: `(global $e (mut exnref) (ref.null noexn))
      (global $none (mut exnref) (ref.null noexn))
      (func (export "run")
        (block $both (result i32 exnref)
          (try_table (catch_ref $number $both) (drop (call $boom (i32.const 1))))
          (unreachable))
        (global.set $e)
        (drop)
        (drop (call $tell (i32.const 6)))
        (block $caught (result i32)
          (try_table (catch $number $caught) (throw_ref (global.get $e)))
          (unreachable))
        (drop)
        (throw_ref (global.get $none)))`,
  },
  'a loop that is left and entered by exceptions': {
    log: '0 1 2 3 3',
    end: '3',
    code: `(func (export "run") (result i32) (local $i i32)
      (loop $next
        (block $caught (result i32)
          (try_table (catch $number $caught)
            (drop (call $boom (local.get $i))))
          (unreachable))
        (local.set $i (i32.add (i32.const 1)))
        (br_if $next (i32.lt_s (local.get $i) (i32.const 4))))
      (i32.div_s (call $tell (i32.sub (local.get $i) (i32.const 1))) (i32.const 2)))`,
  },
  'a tail call leaves a try_table': {
    log: '3',
    end: 'exception tag0 3',
    code: `(func (export "run") (result i32)
      (block $all (try_table (catch_all $all) (return_call $boom (i32.const 3))))
      (i32.const 1))`,
  },
  'older form: try, catch, catch_all around and after safepoints': {
    log: '1 2 2 3 4 5',
    end: '11',
    code: `(func (export "run") (result i32) (local $sum i32)
      (i32.const 1)
      (try (result i32)
        (do (drop (call $tell (i32.const 1))) (call $boom (i32.const 2)))
        (catch $nothing (i32.const 50))
        (catch $number (call $tell (pop i32)))
        (catch_all (i32.const 60)))
      (i32.add)
      (local.set $sum)
      (try (do (drop (call $boom (i32.const 3))))
        (catch_all (drop (call $tell (i32.const 4))) (local.set $sum (i32.add (local.get $sum) (i32.const 6)))))
      (try (do (drop (call $tell (i32.const 5)))))
      (local.get $sum))`,
  },
  'older form: rethrow out of clauses that were resumed': {
    log: '1 2 3 4 5',
    end: 'exception tag0 1',
    code: `(func $inner
        (try (do (drop (call $boom (i32.const 1))))
          (catch_all (drop (call $tell (i32.const 2)))
            (try (do (drop (call $boom (i32.const 3))))
              (catch $number (drop (pop i32)) (drop (call $tell (i32.const 4))) (rethrow 1)))))) 
      (func (export "run") (result i32)
        (try (result i32) (do (call $inner) (i32.const 0))
          (catch $number (drop (pop i32)) (drop (call $tell (i32.const 5))) (rethrow 0))))`,
  },
  'older form: delegate to a try outside, and to the caller': {
    log: '1 8 2',
    end: 'exception tag0 2',
    code: `(func (export "run") (result i32)
      (try $outer
        (do
          (try $middle
            (do (try (do (drop (call $boom (i32.const 1)))) (delegate $outer)))
            (catch_all (drop (call $tell (i32.const 99))))))
        (catch $number (drop (pop i32)) (drop (call $tell (i32.const 8)))))
      (try $all
        (do (try (do (drop (call $boom (i32.const 2)))) (delegate 1)))
        (catch_all (drop (call $tell (i32.const 98)))))
      (i32.const 1))`,
  },
};

for (const [name, { code, log, end }] of Object.entries(CASES)) {
  test(name, () => {
    const run = sameEverywhere(code);
    assert.equal(run.end, end);
    assert.equal(run.log, log);
  });
}

test('exceptions that are only passed on, and never caught', () => {
  const code = `(func $pass (param exnref) (result exnref) (drop (call $tell (i32.const 1))) (local.get 0))
    (func (export "run") (result i32) (i32.add (i32.const 2) (ref.is_null (call $pass (ref.null exn)))))`;
  assert.deepEqual(sameEverywhere(code), { log: '1', end: '3', captures: 2 });
});

function machineOf(code: string, make: (machine: () => Machine) => Record<string, () => unknown>): () => Machine {
  const bytes = assemble(`(module ${code})`);
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  return () => {
    const machine: Machine = new Machine(program, {
      imports: { env: make(() => machine) },
      memories: [],
      control: createControl(),
      poll() {},
    });
    return machine;
  };
}

test('an exception of the host keeps the program where it is, and it runs on there', () => {
  let stop = true;
  const make = machineOf(
    `(import "env" "fail" (func $fail)) (import "env" "pause" (func $pause))
     (func (export "_start") (local $e exnref)
       (block $ref (result exnref) (try_table (catch_all_ref $ref) (call $fail)) (unreachable))
       (local.set $e) (call $pause) (throw_ref (local.get $e)))`,
    (machine) => ({
      fail: () => {
        throw new Error('of the host');
      },
      pause: () => {
        if (stop) machine().unwind();
      },
    }),
  );
  const machine = make();
  const outcome = machine.start();
  assert.ok(outcome.type === 'captured');
  assert.ok(outcome.state.hostReference);
  assert.throws(() => encodeState(outcome.state), { code: 'cannot_move', message: /host_reference/ });
  stop = false;
  assert.throws(() => machine.resume(outcome.state), /of the host/);
});

test('leaving passes all handlers', () => {
  const make = machineOf(
    `(import "env" "exit" (func $exit)) (func (export "_start") (loop $l (try (do (call $exit)) (catch_all (br $l)))))`,
    (machine) => ({ exit: () => machine().leave(new RangeError('left')) }),
  );
  assert.throws(() => make().start(), new RangeError('left'));
});

test('an exception that nobody catches is explained', () => {
  const machine = machineOf(
    `(tag $a (param i32)) (tag $b (param i32 f64 externref))
     (func (export "_start") (throw $b (i32.const 3) (f64.const 0.5) (ref.null noextern)))`,
    () => ({}),
  )();
  let thrown: unknown;
  try {
    machine.start();
  } catch (error) {
    thrown = error;
  }
  assert.equal(machine.explain(thrown), 'uncaught exception of tag 1 with i32 3, f64 0.5, externref');
  assert.equal(machine.explain(new Error('no')), null);
});

test('forged exceptions are refused', () => {
  const make = machineOf(
    `(import "env" "pause" (func $pause)) (tag $t (param i64))
     (func (export "_start") (local $e exnref)
       (block $ref (result exnref) (try_table (catch_all_ref $ref) (throw $t (i64.const 1))) (unreachable))
       (local.set $e) (call $pause) (throw_ref (local.get $e)))`,
    (machine) => ({ pause: () => machine().unwind() }),
  );
  const outcome = make().start();
  assert.ok(outcome.type === 'captured');
  const state = decodeState(encodeState(outcome.state));
  assert.deepEqual(state.exceptions, [Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)]);
  for (const exception of [[], [1, 0, 0, 0], [0, 0, 0, 0, 1], [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]]) {
    assert.throws(() => make().resume({ ...state, exceptions: [Uint8Array.from(exception)] }), { code: 'corrupt' });
  }
});
