import assert from 'node:assert/strict';
import { constants, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ERRNO } from '../abi/errno.ts';
import { GuestExit } from './local.ts';
import { Side } from './testing/side.ts';

/** Where the iovec, the data and the result of a transfer lie. */
const IOVEC = 0;
const DATA = 100;
const RESULT = 64;

function side(t: TestContext): Side {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'godwit-calls-'));
  const made = new Side(true, directory, 'file');
  t.after(() => {
    made.close();
    rmSync(directory, { recursive: true });
  });
  new Uint32Array(made.memory.buffer).set([DATA, 5], IOVEC);
  new Uint8Array(made.memory.buffer).set(Buffer.from('hello'), DATA);
  return made;
}

const write = (to: Side, fd: number): number => to.call('fd_write', fd, IOVEC, 1, RESULT);

test('a thread uses a descriptor itself from the change that gives it on, to the one that takes it away', (t) => {
  const guest = side(t);
  assert.equal(write(guest, 3), 77);
  const file = guest.open(3, constants.O_RDWR | constants.O_CREAT);
  assert.equal(write(guest, 3), 0);
  assert.equal(guest.content.toString(), 'hello');
  guest.change(3, null, { read: false, write: false, seek: false, tell: false });
  assert.equal(write(guest, 3), 77);
  assert.equal(file.tell(), 5n);
  assert.deepEqual(guest.control.calls, ['fd_write 3 0 1 64', 'fd_write 3 0 1 64']);
  assert.equal(guest.calls.progress.localCalls, 1);
});

test('a call that the descriptor’s rights do not allow goes to the main thread', (t) => {
  const guest = side(t);
  const calls = [
    ['read', 'fd_read', [3, IOVEC, 1, RESULT]],
    ['write', 'fd_write', [3, IOVEC, 1, RESULT]],
    ['read', 'fd_pread', [3, IOVEC, 1, 0n, RESULT]],
    ['seek', 'fd_pread', [3, IOVEC, 1, 0n, RESULT]],
    ['write', 'fd_pwrite', [3, IOVEC, 1, 0n, RESULT]],
    ['seek', 'fd_pwrite', [3, IOVEC, 1, 0n, RESULT]],
    ['seek', 'fd_seek', [3, 0n, 0, RESULT]],
    ['tell', 'fd_tell', [3, RESULT]],
  ] as const;
  for (const [right, name, raw] of calls) {
    guest.open(3, constants.O_RDWR | constants.O_CREAT);
    assert.equal(guest.call(name, ...raw), 0, name);
    guest.open(3, constants.O_RDWR, { [right]: false });
    assert.equal(guest.call(name, ...raw), 77, `${name} without ${right}`);
  }
});

test('the first call after a resume goes to the main thread, the next ones do not', (t) => {
  const guest = side(t);
  guest.open(3, constants.O_RDWR | constants.O_CREAT);
  guest.calls.progress.resumed();
  assert.equal(write(guest, 3), 77);
  assert.equal(guest.content.length, 0, 'its effect is the main thread’s to have');
  assert.equal(write(guest, 3), 0);
  // A call of the thread’s own cannot have been begun elsewhere, so the one after it was not either.
  guest.calls.progress.resumed();
  assert.equal(guest.call('sched_yield'), 0);
  assert.equal(write(guest, 3), 0);
  assert.equal(guest.control.calls.length, 1);
});

test('a call that is interrupted unwinds', (t) => {
  const guest = side(t);
  guest.control.errno = null;
  assert.throws(() => guest.call('fd_close', 9), { message: 'unwound' });
});

test('what the system refuses is an errno, through the fast path too', (t) => {
  const guest = side(t);
  guest.open(3, constants.O_RDONLY | constants.O_CREAT);
  assert.equal(write(guest, 3), ERRNO.badf);
  assert.equal(guest.call('fd_pwrite', 3, IOVEC, 1, 0n, RESULT), ERRNO.badf);
  guest.open(4, constants.O_WRONLY);
  assert.equal(guest.call('fd_read', 4, IOVEC, 1, RESULT), ERRNO.badf);
  assert.equal(guest.call('fd_pread', 4, IOVEC, 1, 0n, RESULT), ERRNO.badf);
  assert.equal(guest.call('fd_seek', 4, -1n, 0, RESULT), ERRNO.inval);
  assert.equal(guest.call('clock_time_get', 9, 0n, RESULT), ERRNO.inval);
  assert.equal(guest.call('random_get', -1, 2), ERRNO.fault);
});

test('arguments, clocks and the end', (t) => {
  const guest = side(t);
  const view = new DataView(guest.memory.buffer);
  assert.equal(guest.call('args_sizes_get', 200, 204), 0);
  assert.deepEqual([view.getUint32(200, true), view.getUint32(204, true)], [2, 11]);
  assert.equal(guest.call('args_get', 208, 300), 0);
  assert.equal(Buffer.from(new Uint8Array(guest.memory.buffer, 300, 11)).toString(), 'program\0ä\0');
  assert.equal(guest.call('environ_sizes_get', 200, 204), 0);
  assert.deepEqual([view.getUint32(200, true), view.getUint32(204, true)], [1, 4]);
  assert.equal(guest.call('clock_time_get', 1, 0n, 200), 0);
  assert.equal(view.getBigUint64(200, true), guest.machinery.monotonic + 11n);
  assert.throws(
    () => guest.call('proc_exit', 7),
    (error) => error instanceof GuestExit && error.status === 7,
  );
});
