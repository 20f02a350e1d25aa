import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { assemble } from '../../../test/support/text.ts';
import { locate } from './locate.ts';
import { Program } from './program.ts';
import { callSite } from './call-sites.ts';
import { runOriginal, subject } from '../testing/harness.ts';
import { Execution } from './execution.ts';

// As nodes have it: the first function of a module is optimised at once, and what it calls is inlined.
setFlagsFromString('--wasm-tier-mask-for-testing=1');

const imports = () => ({ tick: (n: number): number => n });

/** `run` calls `reads` in a loop, so that V8 inlines it, and lets it trap in `last`. */
const trapping = (last: string) =>
  assemble(`(module
    (import "env" "tick" (func $tick (param i32) (result i32)))
    (memory (export "memory") 1 1)
    (table funcref (elem $reads))
    (func (export "run") (result i32) (local i32)
      (drop (call $tick (i32.const 5)))
      (loop $again
        (local.set 0 (i32.add (local.get 0) (call $tick (i32.const 1))))
        (br_if $again (i32.lt_u (local.get 0) (i32.const 1000))))
      ${last})
    (func $reads (param i32) (result i32) (i32.load (local.get 0)))
    (func $other (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`);

/** Where its trap is. */
function locatedIn(program: Program): string {
  try {
    new Execution(program, { imports: () => ({ env: imports() }), entry: 'run' }).start();
  } catch (error) {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    return locate(program, error)
      .map(({ index, offset }) => `${index}@0x${offset.toString(16)}`)
      .join(' ');
  }
  return assert.fail('it does not trap');
}

test('the caller of an inlined function is located if it calls it in one place only', () => {
  const program = subject(trapping('(i32.add (i32.const 1) (call $reads (i32.const 66000)))'), 'run', [], imports);
  const { where } = runOriginal(program);
  assert.match(where, /^2@0x\w+ 1@0x\w+$/);
  assert.equal(locatedIn(program.program), where);
});

test('an instruction that a helper carries out is located', () => {
  const bytes = assemble(`(module
    (import "env" "tick" (func $tick (param i32) (result i32)))
    (memory (export "memory") 1 1)
    (func (export "run") (local i32)
      (local.set 0 (call $tick (i32.const 1000)))
      (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
      (memory.copy (i32.const 0) (i32.const 1) (i32.mul (local.get 0) (local.get 0)))))`);
  const program = subject(bytes, 'run', [], imports);
  const { where } = runOriginal(program);
  assert.equal(locatedIn(program.program), where);
});

test('which instruction called', () => {
  const only = (last: string, callee: number, place: number | null = null): number | null => {
    const { original, numbering } = Program.compile(trapping(last));
    return callSite(original, numbering, 1, callee, place);
  };
  const [tick, reads, other] = [0, 2, 3];
  assert.notEqual(only('(call $reads (i32.const 1))', reads), null);
  assert.equal(only('(i32.add (call $reads (i32.const 1)) (call $reads (i32.const 2)))', reads), null);
  assert.equal(only('(call $reads (i32.const 1))', other), null);
  assert.equal(only('(call $reads (i32.const 1))', tick), null);
  // It may be behind the table as well as not.
  const throughTable = '(call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))';
  assert.notEqual(only(throughTable, reads), null);
  assert.equal(only(`(i32.add (call $reads (i32.const 1)) ${throughTable})`, reads), null);
  assert.equal(only(throughTable, other), null);
  // V8 may name another instruction (here the first one, a constant), but not another call.
  const call = only('(call $reads (i32.const 1))', reads);
  const localsBytes = 3;
  const first = Program.compile(trapping('(call $reads (i32.const 1))')).original.bodyStarts[0]! + localsBytes;
  assert.equal(only('(call $reads (i32.const 1))', reads, first), call);
  assert.equal(only('(call $reads (i32.const 1))', tick, call), call);
  assert.equal(only('(i32.add (call $reads (i32.const 1)) (call $reads (i32.const 2)))', reads, first), first);
});
