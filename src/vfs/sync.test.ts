import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ERRNO } from '../abi/errno.ts';
import type { Settled } from './openfile.ts';
import { synchronise } from './sync.ts';
import { scratch } from './testing/scratch.ts';

test('of many files at once some wait for the others, and those that are withdrawn meanwhile are not made', async (t) => {
  const fd = openSync(path.join(scratch(t, true).inside, 'file'), 'w');
  let over = 0;
  const all = Array.from({ length: 10 }, (_, i) => synchronise(fd, i % 2 === 0, () => over++));
  const withdrawn = all.splice(3, 5);
  for (const one of withdrawn) assert.ok(one.withdraw());
  assert.equal(over, withdrawn.length);
  const results = await Promise.all(all.map((one) => new Promise<Settled<void>>((done) => one.whenDone(done))));
  assert.deepEqual(results, Array(all.length).fill({ value: undefined }));
  assert.equal(over, 10);
  closeSync(fd);
});

test('one that is under way is not needed before it has ended, though it is withdrawn', async (t) => {
  const fd = openSync(path.join(scratch(t, true).inside, 'file'), 'w');
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const one = synchronise(fd, false, () => {
      over = true;
      resolve();
    });
    assert.ok(one.withdraw());
  });
  assert.equal(over, false);
  await ended;
  closeSync(fd);
});

test('what cannot be synchronised says why', async () => {
  const waiting = synchronise(2 ** 30, false);
  assert.deepEqual(await new Promise((done) => waiting.whenDone(done)), { errno: ERRNO.badf });
});
