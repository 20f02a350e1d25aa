import assert from 'node:assert/strict';
import type { Result } from './lab.ts';

/** What wrong input gets: one line, from us, that matches, and nothing on stdout. */
export function checkRefused({ stdout, stderr, status }: Result, expected: number, words: RegExp): void {
  assert.match(stderr, /^godwit: [^\n]+\n$/);
  assert.match(stderr, words);
  assert.deepEqual([stdout, status], ['', expected]);
}
