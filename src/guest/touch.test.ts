import assert from 'node:assert/strict';
import { test } from 'node:test';
import { touchPages } from './touch.ts';

test('touching pages changes nothing, and stays inside the memory', () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7;
  const before = bytes.slice();
  for (const size of [0, 1, 4096, 4097, 131_072, 2 ** 40]) touchPages(memory, size);
  assert.deepEqual(bytes.slice(), before);
});
