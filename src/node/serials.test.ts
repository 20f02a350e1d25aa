import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { PidSerials } from './serials.ts';

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-serials-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('a serial that may have been given is not given again by the next daemon', (t) => {
  const file = path.join(temporary(t), 'pid');
  const serials = new PidSerials(file);
  let next = serials.first;
  assert.equal(next, 1);
  while (next < 1000) serials.used(++next);
  assert(new PidSerials(file).first > next);
});

test('what cannot be noted is not given, until it can', (t) => {
  const directory = path.join(temporary(t), 'state');
  mkdirSync(directory);
  const file = path.join(directory, 'pid');
  const serials = new PidSerials(file);
  let next = serials.first;
  rmSync(directory, { recursive: true });
  const failure = {
    code: 'io',
    message: /^cannot write .*pid: .*; the node must be able to write there, or choose .* with --state$/,
  };
  assert.throws(() => {
    while (next < 1000) serials.used(++next);
  }, failure);
  assert(next < 1000);
  // The process table has counted on.
  assert.throws(() => serials.used(++next), failure);
  mkdirSync(directory);
  serials.used(++next);
  assert(new PidSerials(file).first > next);
});
