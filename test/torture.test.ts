/** What `npm run torture` is made of; its parts themselves take minutes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { PARTS } from './torture/parts.ts';
import type { RoundEvent } from './torture/reporter.ts';

const ROOT = path.join(import.meta.dirname, '..');

const node = (...args: readonly string[]) => {
  // A test runner inside of one does not run files otherwise.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8', timeout: 60_000 });
};

test('parts have names of their own, and files that are there', () => {
  assert.equal(new Set(PARTS.map(({ name }) => name)).size, PARTS.length);
  for (const { files } of PARTS) for (const file of files) assert.ok(existsSync(path.join(ROOT, file)), file);
});

test('what is no part, no seed or no number of rounds is refused with the list of parts', () => {
  for (const args of [['nonsense'], ['--seed', '-1'], ['--rounds', 'x'], ['--minutes', '0'], ['--what']]) {
    const { status, stderr } = node('test/torture/run.ts', ...args);
    assert.equal(status, 2, args.join(' '));
    for (const { name } of PARTS) assert.match(stderr, new RegExp(`^ {2}${name} `, 'm'));
  }
});

test('the reporter tells counts and failures, each once', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'godwit-torture-test-'));
  try {
    const file = path.join(directory, 'some.test.mjs');
    const source = `import { describe, test } from 'node:test';
      test('good', (t) => t.diagnostic('12 captures'));
      test('left out', { skip: true });
      describe('group', () => {
        test('also good', () => console.log('30 cases'));
        test('bad', (t) => { t.diagnostic('no count'); throw new Error('seed 417', { cause: new Error('why') }); });
      });`;
    await writeFile(file, source);
    const { status, stdout } = node('--test', '--test-reporter=./test/torture/reporter.ts', file);
    assert.equal(status, 1);
    const events = stdout.trim().split('\n');
    const told = events.map((line) => JSON.parse(line) as RoundEvent);
    const counts = told.filter((event) => event.type === 'count').map(({ amount, what }) => `${amount} ${what}`);
    assert.deepEqual(counts.sort(), ['1 skipped tests', '1 tests', '1 tests', '12 captures', '30 cases']);
    const failures = told.filter((event) => event.type === 'failed');
    assert.deepEqual(
      failures.map((event) => [event.test, event.file]),
      [['bad', file]],
    );
    assert.match(failures[0]?.error ?? '', /seed 417[^]*why/);
  } finally {
    await rm(directory, { recursive: true });
  }
});
