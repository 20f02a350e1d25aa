import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { FdFlags, Rights } from '../abi/types.ts';
import { encodeUtf8 } from '../base/bytes.ts';
import { DirectFile } from '../vfs/direct.ts';
import { openPreopen } from '../vfs/preopen.ts';
import { directEntry, directView } from './direct.ts';
import { Harness, OPEN } from './testing/harness.ts';

test('a guest’s own thread sees the file that the kernel has open, as far as its rights go', () => {
  const host = mkdtempSync(path.join(tmpdir(), 'godwit-direct-'));
  const harness = new Harness({}, openPreopen(host, null));
  try {
    assert.deepEqual(directView(harness.process), []);
    const fd = harness.open('file', { base: OPEN.base | Rights.fd_fdstat_set_flags });
    const [entry] = directView(harness.process);
    assert.ok(entry !== undefined);
    assert.equal(entry.fd, fd);
    assert.deepEqual(entry.may, { read: true, write: true, seek: true, tell: true });

    const thread = new DirectFile(entry.shared);
    assert.equal(harness.write(fd, 'abc'), 3);
    assert.equal(thread.write([encodeUtf8('def')], null), 3);
    assert.equal(harness.ok('fd_tell', { fd }).position, 6n);
    harness.ok('fd_fdstat_set_flags', { fd, flags: FdFlags.append });
    assert.ok(thread.append);

    harness.ok('fd_fdstat_set_rights', { fd, base: Rights.fd_tell | Rights.fd_write, inheriting: 0n });
    const change = harness.changes.at(-1);
    assert.ok(change !== undefined);
    assert.deepEqual(directEntry(change.fd, change.descriptor)?.may, {
      read: false,
      write: true,
      seek: false,
      tell: true,
    });
    harness.ok('fd_close', { fd });
    assert.throws(() => thread.fd, { message: 'badf' });
    assert.equal(directEntry(fd, harness.changes.at(-1)?.descriptor ?? null), null);
  } finally {
    harness.kernel.processes.end(harness.process, { how: 'exited', code: 0 });
    rmSync(host, { recursive: true });
  }
});
