import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemble } from '../../../test/support/text.ts';
import { exportedFunction } from './instance.ts';

test('what a module exports is a function, or is refused by its name', () => {
  const bytes = assemble('(module (memory (export "memory") 1) (func (export "seven") (result i32) (i32.const 7)))');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  assert.equal(exportedFunction(instance, 'seven')(), 7);
  for (const name of ['memory', 'missing']) {
    assert.throws(() => exportedFunction(instance, name), { name: 'AssertionError', message: new RegExp(`${name}$`) });
  }
});
