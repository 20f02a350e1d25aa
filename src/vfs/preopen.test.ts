import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { GodwitError } from '../base/errors.ts';
import { ByteReader } from '../base/bytes.ts';
import { fromHost, host } from './hosterror.ts';
import { HostDirectory } from './hostdirectory.ts';
import { openPreopen } from './preopen.ts';
import { canHold, openSpot } from './spot.ts';
import { nativeCalls } from './native.ts';
import { hostTime, needsExact } from './times.ts';

test('a directory that cannot be given is named with the reason', (t) => {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-preopen-'));
  t.after(() => fs.rmSync(base, { recursive: true }));
  fs.writeFileSync(path.join(base, 'file'), '');
  fs.symlinkSync('loop', path.join(base, 'loop'));
  fs.mkdirSync(path.join(base, 'real'));
  fs.symlinkSync('real', path.join(base, 'link'));
  const reasons = { missing: /no such directory/, file: /not a directory/, loop: /too many symbolic links/ };
  for (const [name, reason] of Object.entries(reasons)) {
    assert.throws(
      () => openPreopen(path.join(base, name), null),
      (error) =>
        error instanceof GodwitError &&
        error.code === 'io' &&
        reason.test(error.message) &&
        error.message.includes(base),
    );
  }
  // The user's own links are followed.
  const directory = openPreopen(path.join(base, 'link'), null);
  directory.makeDirectory('x');
  directory.close();
  assert.deepEqual(fs.readdirSync(path.join(base, 'real')), ['x']);
});

function errno(code: string): number | undefined {
  const converted = fromHost(Object.assign(new Error(code), { code, errno: -1, syscall: 'x' }));
  return converted instanceof ErrnoError ? converted.errno : undefined;
}

test('the root of the file system can be given', { skip: process.platform === 'win32' }, () => {
  for (const held of canHold ? [true, false] : [false]) {
    const root = new HostDirectory(openSpot('/', held), null);
    assert.equal(root.stat().ino, fs.statSync('/', { bigint: true }).ino);
    assert.equal(root.statPath('.', false).ino, root.stat().ino);
    assert.equal(root.statPath('dev/null', false).ino, fs.statSync('/dev/null', { bigint: true }).ino);
    assert.deepEqual(
      [...root.entries(0n)].slice(0, 2).map((entry) => entry.ino),
      [root.stat().ino, root.stat().ino],
    );
    assert.throws(
      () => root.statPath('..', false),
      (error) => error instanceof ErrnoError && error.errno === ERRNO.perm,
    );
    root.close();
  }
});

test('errors of the system become errnos by their names', () => {
  assert.equal(errno('ENOENT'), ERRNO.noent);
  assert.equal(errno('ENOTEMPTY'), ERRNO.notempty);
  assert.equal(errno('E2BIG'), ERRNO['2big']);
  assert.equal(errno('EWOULDBLOCK'), ERRNO.again);
  assert.equal(errno('EOPNOTSUPP'), ERRNO.notsup);
  assert.equal(errno('EWHATEVER'), ERRNO.io);
  for (const name of Object.keys(os.constants.errno)) assert.ok((errno(name) ?? 0) > 0, name);
});

test('errors of ours stay what they are', () => {
  assert.throws(() => host(() => new ByteReader(new Uint8Array(0)).u8()), GodwitError);
  // Node's own check of an argument is no error of the system.
  assert.throws(() => host(() => fs.openSync('a\0b', 'r')), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => host(() => fs.readdirSync('/proc/self/exe')), ErrnoError);
});

test('times that a double holds go Node’s way, others the system’s', () => {
  for (const time of [0n, 1n, 100n, 1_700_000_000_000_000_000n, 1_700_000_000_500_000_000n]) {
    assert.equal(needsExact(time), false, String(time));
    assert.equal(hostTime(time), Number(time) / 1e9);
  }
  for (const time of [1_700_000_000_123_456_789n, 1_700_000_000_000_000_001n]) assert.equal(needsExact(time), true);
  for (const time of ['now', null] as const) assert.equal(needsExact(time), false);
  const known = process.platform === 'linux' && Number(process.versions.node.split('.')[0]) >= 26;
  if (known) assert.notEqual(nativeCalls(), null);
});
