/** Where traps are said to be: in the original module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

test('a trap behind dead code, in a function that is rewritten and in one that is not', async () => {
  const trap = `
    (block (result i32) (br 0 (i32.const 1)) (drop (i32.const 2)) (i32.const 3))
    (drop) (i32.const 1) (i32.const 0) (i32.div_u)`;
  for (const [name, before] of [
    ['not rewritten', ''],
    ['rewritten', '(call $tell)'],
  ] as const) {
    const bytes = await moduleBytes(`(module
      (import "env" "tell" (func $tell))
      (memory (export "memory") 1)
      (func $trap (result i32) ${before} ${trap})
      (func (export "run") (result i32) (call $tell) (call $trap)))`);
    const given = subject(bytes, 'run', [], () => ({ tell: () => {} }));
    const { end, where } = runOriginal(given);
    assert.equal(end, 'trap: divide by zero');
    assert.equal(runCaptured(given, () => false).where, where, name);
  }
});

test('a trap in a callee, when something else was written for the instruction before the call too', async () => {
  const bytes = await moduleBytes(`(module
    (import "env" "tell" (func $tell))
    (memory (export "memory") 1)
    (data $bytes "abc")
    (func $trap (result i32) (call $tell) (i32.div_u (i32.const 1) (i32.const 0)))
    (func (export "run") (result i32)
      (call $tell)
      (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 1))
      (if (result i32) (i32.const 1)
        (then (data.drop $bytes) (call $trap))
        (else (i32.const 2)))))`);
  const given = subject(bytes, 'run', [], () => ({ tell: () => {} }));
  const { end, where } = runOriginal(given);
  assert.equal(end, 'trap: divide by zero');
  for (const captured of [0, 1, 2]) assert.equal(runCaptured(given, (tick) => tick === captured).where, where);
});
