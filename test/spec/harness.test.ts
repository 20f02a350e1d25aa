/** The harness of the core scripts itself: it reads what it must, and does not take a wrong result for a right one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/virtual.ts';
import { Captor } from './captor.ts';
import { planScript } from './plan.ts';
import { refusal } from './refusal.ts';
import { RewrittenWorld } from './rewritten.ts';
import { differences, runSteps } from './runner.ts';
import { readScript } from './script.ts';
import { OriginalWorld } from './world.ts';

/** Lines of the script that do not go as they are written, in plain V8 and captured everywhere. */
async function wrongLines(script: string): Promise<{ original: number[]; captured: number[]; captures: number }> {
  const steps = await planScript(readScript(script));
  const original = runSteps(steps, new OriginalWorld());
  const world = new RewrittenWorld(new Captor(new SeededRandom(1), { actions: Infinity, inTurn: 99, most: 99 }, 0));
  const captured = runSteps(steps, world);
  return {
    original: original.filter(({ wrong }) => wrong !== '').map(({ step }) => step.line),
    captured: differences(original, captured).map(({ line }) => line),
    captures: world.captures,
  };
}

const ECHO = `(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "extern") (param externref) (result externref) local.get 0)
  (func (export "two") (result i32 i64) i32.const 1 i64.const 2)
  (func (export "trap") unreachable)
  (func (export "none")))`;

/** Each in a line of its own behind the module. */
const RIGHT = [
  '(invoke "i32" (i32.const -1)) (i32.const 0xffff_ffff)',
  '(invoke "f32" (f32.const -0x1.8p-149)) (f32.const -0x1.8p-149)',
  '(invoke "f32" (f32.const nan:0x200001)) (f32.const nan:0x200001)',
  '(invoke "f32" (f32.const -nan)) (f32.const nan:canonical)',
  '(invoke "f32" (f32.const nan:0x400001)) (f32.const nan:arithmetic)',
  '(invoke "f64" (f64.const nan:0x4000000000001)) (f64.const nan:0x4000000000001)',
  '(invoke "f64" (f64.const -nan:0x8000000000001)) (f64.const nan:arithmetic)',
  '(invoke "v128" (v128.const f32x4 nan:0x200001 -0 1 nan)) (v128.const f32x4 nan:0x200001 -0 1 nan:canonical)',
  '(invoke "v128" (v128.const i64x2 1 2)) (either (v128.const i64x2 0 0) (v128.const i64x2 1 2))',
  '(invoke "extern" (ref.extern 3)) (ref.extern 3)',
  '(invoke "extern" (ref.null extern)) (ref.null extern)',
  '(invoke "two") (i32.const 1) (i64.const 2)',
];

const WRONG = [
  '(invoke "i32" (i32.const 1)) (i32.const 2)',
  '(invoke "f32" (f32.const 0)) (f32.const -0)',
  '(invoke "f32" (f32.const nan:0x200001)) (f32.const nan:0x200002)',
  '(invoke "f32" (f32.const nan:0x400001)) (f32.const nan:canonical)',
  '(invoke "f32" (f32.const nan:0x200000)) (f32.const nan:arithmetic)',
  '(invoke "f32" (f32.const inf)) (f32.const nan:arithmetic)',
  '(invoke "f64" (f64.const nan:0x4000000000001)) (f64.const nan:canonical)',
  '(invoke "v128" (v128.const f32x4 nan 0 1 2)) (v128.const f32x4 nan:canonical -0 1 2)',
  '(invoke "v128" (v128.const f64x2 nan:0x1 0)) (v128.const f64x2 nan:arithmetic 0)',
  '(invoke "v128" (v128.const i64x2 1 2)) (either (v128.const i64x2 0 0) (v128.const i64x2 1 3))',
  '(invoke "extern" (ref.extern 3)) (ref.extern 4)',
  '(invoke "extern" (ref.extern 3)) (ref.null extern)',
  '(invoke "extern" (ref.null extern)) (ref.extern)',
  '(invoke "two") (i32.const 1) (i64.const 3)',
  '(invoke "trap")',
];

const FIRST = ECHO.split('\n').length + 1;

test('right results are right, and wrong ones wrong, also when captured', async () => {
  const asserted = (lines: readonly string[]): string => lines.map((line) => `(assert_return ${line})`).join('\n');
  const right = await wrongLines(`${ECHO}\n${asserted(RIGHT)}`);
  assert.deepEqual({ original: right.original, captured: right.captured }, { original: [], captured: [] });
  assert.ok(right.captures >= 2 * RIGHT.length, 'before and behind each action');
  const all = WRONG.map((_, i) => FIRST + i);
  const wrong = await wrongLines(`${ECHO}\n${asserted(WRONG)}`);
  assert.deepEqual({ original: wrong.original, captured: wrong.captured }, { original: all, captured: all });
});

test('a trap, an exhausted stack and a link error that do not come are missed', async () => {
  const assertions = [
    '(assert_trap (invoke "none") "")',
    '(assert_trap (invoke "trap") "")',
    '(assert_exhaustion (invoke "none") "")',
    '(assert_exhaustion (invoke "trap") "")',
    '(assert_unlinkable (module) "")',
    '(assert_unlinkable (module (import "spectest" "print_i32" (func))) "")',
    '(assert_unlinkable (module (import "spectest" "memory" (memory 3))) "")',
    '(assert_trap (module (func $f unreachable) (start $f)) "")',
    '(assert_trap (module (func $f) (start $f)) "")',
  ];
  const wrong = [0, 2, 3, 4, 8].map((i) => FIRST + i);
  const { original, captured } = await wrongLines(`${ECHO}\n${assertions.join('\n')}`);
  assert.deepEqual({ original, captured }, { original: wrong, captured: wrong });
});

test('a trap is at the same place in the original and behind a capture', async () => {
  const script = `(module (func $trap unreachable) (func (export "f") (loop) call $trap)) (assert_trap (invoke "f") "")`;
  const steps = await planScript(readScript(script));
  const always = new Captor(new SeededRandom(1), { actions: Infinity, inTurn: 99, most: 99 }, 0);
  const ends = [new OriginalWorld(), new RewrittenWorld(always)].map((world) => runSteps(steps, world).at(-1)?.outcome);
  assert.ok(ends[0]?.type === 'trap');
  assert.equal(ends[0].where.split(' ').length, 4, 'both functions, the check and the choice of it');
  assert.deepEqual(ends[1], ends[0]);
});

test('state is carried over captures, and stays with its instance', async () => {
  const script = `(module definition $M
    (memory (export "m") 1) (global $g (mut i64) (i64.const 5)) (table 2 funcref) (func $f)
    (func (export "step") (result i64)
      (loop $l (br_if $l (i32.lt_u (i32.load8_u (i32.const 7)) (i32.const 3)) (i32.store8 (i32.const 7)
        (i32.add (i32.load8_u (i32.const 7)) (i32.const 1))) (global.set $g (i64.mul (global.get $g) (i64.const 2)))))
      (table.set (i32.const 1) (ref.func $f)) (global.get $g))
    (func (export "filled") (result i32) (ref.is_null (table.get (i32.const 1)))) (elem declare func $f))
    (module instance $A $M) (module instance $B $M)
    (assert_return (invoke $B "filled") (i32.const 1))
    (assert_return (invoke $A "step") (i64.const 80))
    (assert_return (invoke $A "filled") (i32.const 0)) (assert_return (invoke $A "step") (i64.const 160))
    (assert_return (invoke $B "filled") (i32.const 1)) (assert_return (invoke $B "step") (i64.const 80))`;
  const { original, captured, captures } = await wrongLines(script);
  assert.deepEqual({ original, captured }, { original: [], captured: [] });
  assert.ok(captures > 12);
});

test('strings, comments and annotations may hold parentheses and quotes', () => {
  const script = `(; a (; nested ;) " ;) (@note ")" (x)) ;; ( "
    (module $m binary "\\00asm" "\\01\\00\\00\\00") (register "a\\")\\u{e9}" $m)`;
  const [module, register] = readScript(script);
  assert.deepEqual(module, {
    line: 2,
    type: 'module',
    name: '$m',
    instantiate: true,
    source: { type: 'binary', bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) },
  });
  assert.deepEqual(register, { line: 2, type: 'register', as: 'a")é', instance: '$m' });
});

test('a valid module that is to be refused is reported', () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  assert.equal(refusal('invalid', empty).by, 'nobody');
  assert.deepEqual(refusal('malformed', empty.subarray(0, 7)), { by: 'engine', wrong: '' });
});
