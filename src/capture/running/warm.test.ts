import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmUp } from './warm.ts';

test('warming up captures and resumes, each time alike', () => {
  const captures = warmUp();
  assert.ok(captures > 10, `${captures} captures`);
  assert.equal(warmUp(), captures);
});
