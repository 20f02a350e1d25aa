/**
 * Typed function references, each use captured at every safepoint and resumed in a fresh instance: what is compared is
 * the result, what the host was told, and the final memory.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../test/spec/text.ts';
import { decodeModule } from '../wasm/decode.ts';
import { HEAP } from '../wasm/references.ts';
import { FUNCREF, I32 } from '../wasm/types.ts';
import { rewrite } from './rewriting/rewrite.ts';
import { prepare } from './running/prepare.ts';
import { StayingProgram } from './running/staying.ts';
import { runCaptured, runOriginal, subject } from './testing/harness.ts';

/** Functions of one type to refer to; the rest of the module goes behind. */
const PRELUDE = `
  (type $step (func (param i32) (result i32)))
  (type $other (func (result i32)))
  (import "env" "tell" (func $tell (param i32)))
  (func $double (type $step) (call $tell (i32.const 1)) (i32.mul (local.get 0) (i32.const 2)))
  (func $next (type $step) (call $tell (i32.const 2)) (i32.add (local.get 0) (i32.const 1)))
  (elem declare func $double $next)`;

const CASES: readonly (readonly [string, string])[] = [
  [
    'calls of references with operands below',
    `(func (export "run") (param i32) (result i32)
      (i32.add (i32.const 1000)
        (call_ref $step (call_ref $step (local.get 0) (ref.func $double)) (ref.func $next))))`,
  ],
  [
    'references without null on the operand stack and among arguments',
    `(func $twice (param $f (ref $step)) (param $x i32) (result i32)
      (call_ref $step (call_ref $step (local.get $x) (local.get $f)) (local.get $f)))
    (func (export "run") (param i32) (result i32)
      (ref.func $double) (call $tell (local.get 0))
      (i32.const 5) (call $tell (local.get 0)) (call $twice))`,
  ],
  [
    'locals without null, set in places',
    `(func (export "run") (param $x i32) (result i32) (local $f (ref $step)) (local $g (ref null $step))
      (local.set $f (ref.func $next))
      (loop $again
        (block
          (br_if 0 (i32.and (local.get $x) (i32.const 1)))
          (local.set $x (call_ref $step (local.get $x) (local.tee $f (ref.func $next)))))
        (local.set $x (call_ref $step (local.get $x) (local.get $f)))
        (local.set $g (local.get $f))
        (br_if $again (i32.lt_u (local.get $x) (i32.const 40))))
      (call_ref $step (local.get $x) (local.get $g)))`,
  ],
  [
    'null tests and casts to references without null',
    `(func $maybe (param $f (ref null $step)) (param $x i32) (result i32)
      (block $null
        (call $tell (i32.const 7))
        (return (call_ref $step (local.get $x) (br_on_null $null (local.get $f)))))
      (i32.sub (i32.const 0) (local.get $x)))
    (func $other (param $f (ref null $step)) (param $x i32) (result i32)
      (block $there (result (ref $step))
        (call $tell (i32.const 8))
        (br_on_non_null $there (local.get $f))
        (return (local.get $x)))
      (local.set $f)
      (call_ref $step (local.get $x) (ref.as_non_null (local.get $f))))
    (func (export "run") (param i32) (result i32)
      (i32.add
        (i32.add (call $maybe (ref.null $step) (local.get 0)) (call $maybe (ref.func $double) (local.get 0)))
        (i32.add (call $other (ref.null $step) (local.get 0)) (call $other (ref.func $next) (local.get 0)))))`,
  ],
  [
    'calls in place of the function',
    `(func $go (type $step) (return_call_ref $step (local.get 0) (ref.func $double)))
    (elem declare func $go)
    (func (export "run") (param i32) (result i32)
      (i32.add (i32.const 1) (call_ref $step (local.get 0) (ref.func $go))))`,
  ],
  [
    'a call in place of the function that returns more exactly',
    `(type $maker (func (param i32) (result i32 (ref null $step) funcref)))
    (type $exact (func (param i32) (result i32 (ref $step) (ref $step))))
    (func $exact (type $exact) (call $tell (local.get 0)) (local.get 0) (ref.func $next) (ref.func $double))
    (func $maker (type $maker) (return_call $exact (i32.add (local.get 0) (i32.const 1))))
    (func $root (param i32) (result funcref) (return_call $leaf (local.get 0)))
    (func $leaf (param i32) (result (ref $step)) (call $tell (local.get 0)) (ref.func $double))
    (func (export "run") (param $n i32) (result i32) (local $f (ref null $step))
      (drop (call $root (local.get $n)))
      (call $maker (local.get $n))
      (drop)
      (local.set $f)
      (call_ref $step (local.get $f)))`,
  ],
  [
    'globals, with null and without',
    `(global $f (mut (ref $step)) (ref.func $next))
    (global $g (mut (ref null $step)) (ref.null $step))
    (global $h (ref $step) (ref.func $double))
    (func (export "run") (param i32) (result i32)
      (call $tell (i32.const 3))
      (global.set $g (global.get $f))
      (global.set $f (global.get $h))
      (call $tell (i32.const 4))
      (call_ref $step (call_ref $step (local.get 0) (global.get $f)) (global.get $g)))`,
  ],
  [
    'tables with first entries, changed and grown',
    `(table $t 2 20 (ref $step) (ref.func $next))
    (table $u 3 (ref null $step))
    (elem $e (ref $step) (ref.func $double) (ref.func $next))
    (func (export "run") (param i32) (result i32)
      (call $tell (table.size $t))
      (table.set $t (i32.const 1) (ref.func $double))
      (call $tell (table.grow $t (ref.func $double) (i32.const 5)))
      (table.init $t $e (i32.const 3) (i32.const 0) (i32.const 2))
      (table.copy $u $t (i32.const 0) (i32.const 3) (i32.const 2))
      (elem.drop $e)
      (call $tell (table.size $t))
      (table.fill $t (i32.const 5) (ref.func $next) (i32.const 1))
      (call $tell (call_indirect $u (type $step) (local.get 0) (i32.const 1)))
      (call $tell (ref.is_null (table.get $u (i32.const 2))))
      (call_ref $step (call_indirect $t (type $step) (local.get 0) (i32.const 3)) (table.get $t (i32.const 5))))`,
  ],
  [
    'active segments of a table with a type',
    `(table $t 3 (ref null $step))
    (elem (table $t) (i32.const 1) (ref null $step) (item (ref.func $double)) (item (ref.null $step)))
    (func (export "run") (param i32) (result i32)
      (call $tell (ref.is_null (table.get $t (i32.const 2))))
      (call_indirect $t (type $step) (local.get 0) (i32.const 1)))`,
  ],
  [
    'values of exceptions',
    `(tag $e (param (ref $step) i32 (ref null $step)))
    (func $throws (param i32) (call $tell (i32.const 5)) (throw $e (ref.func $double) (local.get 0) (ref.func $next)))
    (func (export "run") (param i32) (result i32) (local $x exnref)
      (block $caught (result (ref $step) i32 (ref null $step) exnref)
        (try_table (catch_ref $e $caught) (call $throws (local.get 0)))
        unreachable)
      (local.set $x)
      (call $tell (i32.const 6))
      drop
      (call $tell (i32.const 7))
      drop
      drop
      (block $again (result (ref $step) i32 (ref null $step))
        (try_table (catch $e $again) (throw_ref (local.get $x)))
        unreachable)
      (call $tell (i32.const 8))
      (drop)
      (local.set 0)
      (drop)
      (local.get 0))`,
  ],
  [
    'references of the general types without null',
    `(global $g (mut (ref func)) (ref.func $double))
    (func $is (param (ref func)) (result i32) (call $tell (i32.const 9)) (ref.is_null (local.get 0)))
    (func (export "run") (param i32) (result i32) (local $f (ref func)) (local $n nullfuncref)
      (local.set $f (ref.func $double))
      (global.set $g (local.get $f))
      (call $tell (i32.const 1))
      (call $tell (ref.is_null (global.get $g)))
      (i32.add (call $is (local.get $f)) (ref.is_null (local.get $n))))`,
  ],
  [
    'a type that refers to itself',
    `(type $self (func (param (ref null $self) i32) (result i32)))
    (func $rounds (type $self)
      (call $tell (local.get 1))
      (if (result i32) (i32.eqz (local.get 1)) (then (ref.is_null (local.get 0)))
        (else (call_ref $self (local.get 0) (i32.sub (local.get 1) (i32.const 1)) (local.get 0)))))
    (elem declare func $rounds)
    (func (export "run") (param i32) (result i32) (call $rounds (ref.func $rounds) (i32.const 4)))`,
  ],
  [
    'tables of exceptions',
    `(tag $e (param i32))
    (table $t 2 exnref)
    (table $u i64 1 9 (ref null exn))
    (func $value (param exnref) (result i32)
      (block $caught (result i32)
        (try_table (catch $e $caught) (throw_ref (local.get 0)))
        unreachable))
    (func (export "run") (param i32) (result i32)
      (table.set $t (i32.const 1) (call $made (i32.const 11)))
      (call $tell (table.grow $t (call $made (i32.const 12)) (i32.const 2)))
      (call $tell (i32.wrap_i64 (table.grow $u (ref.null exn) (i64.const 3))))
      (table.set $u (i64.const 3) (table.get $t (i32.const 3)))
      (call $tell (table.size $t))
      (call $tell (ref.is_null (table.get $t (i32.const 0))))
      (i32.add (call $value (table.get $t (i32.const 1))) (call $value (table.get $u (i64.const 3)))))
    (func $made (param i32) (result exnref) (local $x exnref)
      (block $caught (result i32 exnref)
        (try_table (catch_ref $e $caught) (throw $e (local.get 0)))
        unreachable)
      (local.set $x) (drop) (local.get $x))`.replace(/\(func \$make [^]*?\(return\)\)/, ''),
  ],
];

describe('typed references, captured everywhere', () => {
  for (const [name, text] of CASES) {
    test(name, async () => {
      const bytes = await moduleBytes(`(module ${PRELUDE} (memory (export "memory") 1) ${text})`);
      assert.ok(WebAssembly.validate(rewrite(bytes).module));
      const given = subject(bytes, 'run', [5], (log) => ({
        tell: (value: number): void => void log.push(String(value)),
      }));
      const original = runOriginal(given);
      const { ticks } = runCaptured(given, () => false);
      assert.ok(ticks > 0);
      for (let at = 0; at <= ticks; at++) {
        const captured = runCaptured(given, (tick) => (at === 0 ? true : tick === at));
        assert.equal(captured.end, original.end, `captured at ${at}`);
        assert.deepEqual(captured.log, original.log, `captured at ${at}`);
        assert.equal(captured.memory, original.memory);
        assert.ok(captured.captures > 0);
      }
    });
  }
});

describe('numbers of reference types', () => {
  test('equal types have equal numbers', async () => {
    const { references, types } = decodeModule(
      await moduleBytes(`(module
        (type $a (func (param (ref null $a)))) (type $b (func (param (ref null $b))))
        (type $c (func (param (ref $a)))) (type $d (func (param (ref $b)))) (type $e (func (param (ref $c)))))`),
    );
    assert.equal(types[0], types[1]);
    assert.equal(types[2], types[3]);
    assert.notEqual(types[3], types[4]);
    assert.equal(references.type(1, true), references.type(0, true));
    assert.equal(references.type(3, false), references.type(2, false));
  });

  test('what matches what', async () => {
    const { references: r } = decodeModule(await moduleBytes('(module (type (func)) (type (func (param i32))))'));
    const [a, some, other] = [r.type(0, true), r.type(0, false), r.type(1, true)];
    const [func, none, noExn] = [r.type(HEAP.func, false), r.type(HEAP.noFunc, true), r.type(HEAP.noExn, true)];
    for (const [found, wanted] of [
      [some, a],
      [some, func],
      [a, FUNCREF],
      [none, a],
      [none, FUNCREF],
      [func, FUNCREF],
      [noExn, r.type(HEAP.exn, true)],
    ] as const) {
      assert.ok(r.matches(found, wanted), `${r.name(found)} as ${r.name(wanted)}`);
    }
    for (const [found, wanted] of [
      [a, some],
      [a, func],
      [a, other],
      [FUNCREF, a],
      [none, some],
      [noExn, FUNCREF],
      [a, I32],
      [I32, FUNCREF],
    ] as const) {
      assert.ok(!r.matches(found, wanted), `${r.name(found)} as ${r.name(wanted)}`);
    }
    assert.equal(r.name(some), '(ref 0)');
    assert.equal(r.name(none), '(ref null nofunc)');
  });

  test('a module with more of them than there are numbers is refused', async () => {
    const types = Array.from({ length: 65 }, (_, i) => `(type $t${i} (func (param ${'i32 '.repeat(i)})))`).join('');
    const params = Array.from({ length: 65 }, (_, i) => `(ref null $t${i})`).join(' ');
    const bytes = await moduleBytes(`(module ${types} (func (param ${params})))`);
    assert.throws(() => decodeModule(bytes), { code: 'limit', message: /references to more than 64 types/ });
    // It can be run all the same.
    const staying = StayingProgram.open(bytes, new WebAssembly.Module(prepare(bytes)));
    assert.equal(staying?.reason, 'large_function');
  });
});
