import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { directoryFailure, makePrivateDirectory } from './paths.ts';

test('a private directory is made with those above it, and only for its owner', (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'godwit-paths-'));
  t.after(() => rmSync(root, { recursive: true }));
  const directory = path.join(root, 'a', 'b');
  makePrivateDirectory(directory);
  makePrivateDirectory(directory);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const file = path.join(root, 'file');
  writeFileSync(file, '');
  assert.throws(
    () => makePrivateDirectory(path.join(file, 'below')),
    (error) => directoryFailure(path.join(file, 'below'), error) === `${file}: it is there, and is no directory`,
  );
});

test(
  'where nothing can be made it says so at once',
  { skip: process.platform !== 'linux' && 'there is no /proc' },
  () => {
    assert.throws(() => makePrivateDirectory('/proc/godwit/state'), { code: 'ENOENT' });
  },
);
