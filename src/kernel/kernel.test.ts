import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FdFlags, FileType, FstFlags, OFlags, Rights, Whence } from '../abi/types.ts';
import { decodeUtf8 } from '../base/bytes.ts';
import { Waiting } from '../base/waiting.ts';
import type { OpenFile, Settled } from '../vfs/openfile.ts';
import { READ } from '../vfs/testing/scratch.ts';
import { PREOPEN_RIGHTS } from './rights.ts';
import { MemoryDirectory, MemoryFile } from './testing/files.ts';
import { Harness, OPEN, soFar } from './testing/harness.ts';

test('what the process was given: arguments, environment, directories', () => {
  const harness = new Harness();
  assert.deepEqual(harness.ok('args_sizes_get', {}), { count: 2, bytes: 8 + 3 });
  assert.deepEqual(harness.ok('environ_sizes_get', {}), { count: 1, bytes: 4 });
  assert.equal(harness.call('fd_fdstat_get', { fd: 0 }), 'badf');
  assert.deepEqual(harness.ok('fd_prestat_get', { fd: 3 }).prestat, { tag: 0, nameLength: 1 });
  const name = new Uint8Array(2);
  harness.ok('fd_prestat_dir_name', { fd: 3, name });
  assert.deepEqual([...name], [47, 0]);
  assert.equal(harness.call('fd_prestat_dir_name', { fd: 3, name: new Uint8Array(0) }), 'nametoolong');
  assert.equal(harness.call('fd_prestat_get', { fd: 4 }), 'badf');
  const fd = harness.open('file');
  assert.equal(harness.call('fd_prestat_get', { fd }), 'badf');
});

test('calls that home cannot carry out say so', () => {
  const harness = new Harness();
  assert.equal(harness.call('args_get', { argv: 0, buffer: 0 }), 'nosys');
  assert.equal(harness.call('environ_get', { environ: 0, buffer: 0 }), 'nosys');
});

test('clocks and chance', () => {
  const harness = new Harness();
  harness.clock.inner.advance(2.5);
  assert.equal(harness.ok('clock_time_get', { clock: 1, precision: 0n }).time, 2_500_000n);
  assert.equal(harness.ok('clock_time_get', { clock: 0, precision: 0n }).time, harness.clock.wallNanos());
  assert.ok(harness.ok('clock_res_get', { clock: 0 }).resolution > 0n);
  for (const clock of [2, 3, 4]) {
    assert.equal(harness.call('clock_time_get', { clock, precision: 0n }), 'inval');
    assert.equal(harness.call('clock_res_get', { clock }), 'inval');
  }
  const buffer = new Uint8Array(16);
  harness.ok('random_get', { buffer });
  assert.ok(buffer.some((byte) => byte !== 0));
  harness.ok('sched_yield', {});
});

test('a file: write, seek, tell, read, pread, pwrite, size, times', () => {
  const harness = new Harness();
  const all = Rights.fd_filestat_set_size | Rights.fd_filestat_set_times | Rights.fd_allocate | Rights.fd_advise;
  const fd = harness.open('file', { base: OPEN.base | all | Rights.fd_sync });
  assert.equal(harness.write(fd, 'hello world'), 11);
  assert.equal(harness.ok('fd_tell', { fd }).position, 11n);
  assert.equal(harness.ok('fd_seek', { fd, offset: -5n, whence: Whence.end }).position, 6n);
  assert.equal(harness.read(fd), 'world');
  assert.equal(harness.call('fd_seek', { fd, offset: -1n, whence: Whence.set }), 'inval');
  assert.equal(harness.call('fd_seek', { fd, offset: 0n, whence: 3 }), 'inval');
  const buffers = [new Uint8Array(2), new Uint8Array(3)];
  assert.equal(harness.ok('fd_pread', { fd, buffers, offset: 1n }).count, 5);
  assert.equal(buffers.map(decodeUtf8).join('|'), 'el|lo ');
  assert.equal(harness.ok('fd_pwrite', { fd, buffers, offset: 20n }).count, 5);
  assert.equal(harness.ok('fd_filestat_get', { fd }).stat.size, 25n);
  harness.ok('fd_filestat_set_size', { fd, size: 3n });
  harness.ok('fd_allocate', { fd, offset: 2n, length: 4n });
  assert.equal(harness.ok('fd_filestat_get', { fd }).stat.size, 6n);
  assert.equal(harness.call('fd_allocate', { fd, offset: 2n, length: 0n }), 'inval');
  harness.ok('fd_advise', { fd, offset: 0n, length: 1n, advice: 5 });
  assert.equal(harness.call('fd_advise', { fd, offset: 0n, length: 1n, advice: 6 }), 'inval');
  harness.ok('fd_sync', { fd });
  harness.ok('fd_datasync', { fd });
  const times = { fd, atim: 5n, mtim: 7n };
  harness.ok('fd_filestat_set_times', { ...times, flags: FstFlags.mtim });
  assert.equal(harness.ok('fd_filestat_get', { fd }).stat.mtim, 7n);
  assert.equal(harness.ok('fd_filestat_get', { fd }).stat.atim, 0n);
  for (const flags of [FstFlags.atim | FstFlags.atimNow, FstFlags.mtim | FstFlags.mtimNow, 16]) {
    assert.equal(harness.call('fd_filestat_set_times', { ...times, flags }), 'inval');
    assert.equal(harness.call('path_filestat_set_times', { ...times, fd: 3, lookup: 0, path: 'file', flags }), 'inval');
  }
});

test('every call needs its right', () => {
  const harness = new Harness();
  const fd = harness.open('file', { base: 0n });
  const none = { fd, offset: 0n, length: 1n };
  assert.deepEqual(
    [
      harness.read(fd),
      harness.write(fd, 'x'),
      harness.call('fd_pread', { fd, buffers: [], offset: 0n }),
      harness.call('fd_pwrite', { fd, buffers: [], offset: 0n }),
      harness.call('fd_seek', { fd, offset: 1n, whence: Whence.set }),
      harness.call('fd_tell', { fd }),
      harness.call('fd_advise', { ...none, advice: 0 }),
      harness.call('fd_sync', { fd }),
      harness.call('fd_datasync', { fd }),
      harness.call('fd_filestat_get', { fd }),
      harness.call('fd_filestat_set_times', { fd, atim: 0n, mtim: 0n, flags: 0 }),
      harness.call('fd_fdstat_set_flags', { fd, flags: 0 }),
      harness.call('fd_readdir', { fd, entries: new Uint8Array(9), cookie: 0n }),
      harness.call('path_open', { ...OPEN, fd, path: 'x' }),
    ],
    [...Array(4).fill('badf'), ...Array(8).fill('notcapable'), 'notdir', 'notdir'],
  );
  // As POSIX says of files that are not open for writing; else it is a right that is missing.
  for (const [base, size, room] of [
    [Rights.fd_read, 'inval', 'badf'],
    [Rights.fd_write, 'notcapable', 'notcapable'],
  ] as const) {
    const one = harness.open('file', { base });
    assert.equal(harness.call('fd_filestat_set_size', { fd: one, size: 0n }), size);
    assert.equal(harness.call('fd_allocate', { fd: one, offset: 0n, length: 1n }), room);
  }
  harness.ok('fd_fdstat_set_rights', { fd: 3, base: 0n, inheriting: 0n });
  const path = { fd: 3, path: 'x' };
  assert.deepEqual(
    [
      harness.call('path_open', { ...OPEN, path: 'x' }),
      harness.call('path_create_directory', path),
      harness.call('path_remove_directory', path),
      harness.call('path_unlink_file', path),
      harness.call('path_readlink', { ...path, target: new Uint8Array(1) }),
      harness.call('path_symlink', { ...path, target: 't' }),
      harness.call('path_link', { ...path, lookup: 0, toFd: 3, toPath: 'y' }),
      harness.call('path_rename', { ...path, toFd: 3, toPath: 'y' }),
      harness.call('path_filestat_get', { ...path, lookup: 0 }),
      harness.call('path_filestat_set_times', { ...path, lookup: 0, atim: 0n, mtim: 0n, flags: 0 }),
      harness.call('fd_readdir', { fd: 3, entries: new Uint8Array(9), cookie: 0n }),
    ],
    Array.from({ length: 11 }, () => 'notcapable'),
  );
});

test('a directory is not read, written, sought or cut', () => {
  const harness = new Harness();
  const fd = 3;
  assert.deepEqual(
    [
      harness.read(fd),
      harness.write(fd, 'x'),
      harness.call('fd_pread', { fd, buffers: [], offset: 0n }),
      harness.call('fd_pwrite', { fd, buffers: [], offset: 0n }),
      harness.call('fd_seek', { fd, offset: 0n, whence: Whence.cur }),
      harness.call('fd_tell', { fd }),
      harness.call('fd_allocate', { fd, offset: 0n, length: 1n }),
      harness.call('fd_filestat_set_size', { fd, size: 0n }),
    ],
    ['isdir', 'badf', 'isdir', 'badf', 'isdir', 'isdir', 'badf', 'inval'],
  );
});

test('path_open: what is asked for, what the directory passes on, what applies', () => {
  const directory = new MemoryDirectory();
  const harness = new Harness({}, directory);
  const stat = (fd: number) => harness.ok('fd_fdstat_get', { fd }).stat;
  // Rights of other kinds of file fall away, those of sockets and unknown ones too.
  const everything = (1n << 64n) - 1n;
  const file = harness.open('file', { base: everything, inheriting: everything, flags: FdFlags.append });
  assert.equal(stat(file).rightsBase & (Rights.fd_readdir | Rights.path_open | Rights.sock_shutdown), 0n);
  assert.ok((stat(file).rightsBase & Rights.fd_allocate) !== 0n);
  assert.equal(stat(file).flags, FdFlags.append);
  assert.equal(stat(file).filetype, FileType.regularFile);
  harness.ok('path_create_directory', { fd: 3, path: 'sub' });
  const sub = harness.open('sub', {
    oflags: OFlags.directory,
    base: Rights.path_open | Rights.fd_seek,
    inheriting: Rights.fd_read,
  });
  assert.equal(stat(sub).rightsBase, Rights.path_open);
  assert.equal(stat(sub).rightsInheriting, Rights.fd_read);
  assert.equal(harness.call('path_open', { ...OPEN, fd: sub, path: 'x', oflags: 0 }), 'notcapable');
  assert.equal(harness.call('path_open', { ...OPEN, fd: sub, path: 'x', base: Rights.fd_read }), 'notcapable');
  assert.equal(harness.call('path_open', { ...OPEN, fd: sub, path: 'x', oflags: 0, base: Rights.fd_read }), 'noent');

  // "open with the same rights", as the test suite does.
  const same = harness.open('.', { oflags: OFlags.directory, ...PREOPEN_RIGHTS });
  assert.deepEqual([stat(same).rightsBase, stat(same).rightsInheriting], Object.values(PREOPEN_RIGHTS));
  assert.deepEqual([directory.lastOptions?.read, directory.lastOptions?.write], [true, false]);
  assert.equal(harness.call('path_open', { ...OPEN, path: '.', oflags: OFlags.directory }), 'isdir');

  const options = [
    [{ base: 0n, oflags: 0 }, {}],
    [
      { base: Rights.fd_readdir, oflags: OFlags.excl | OFlags.creat },
      { read: true, create: true, exclusive: true },
    ],
    [
      { base: Rights.fd_write, lookup: 1 },
      { write: true, followFinalLink: true, create: true },
    ],
    [
      { base: Rights.fd_filestat_set_size, oflags: OFlags.trunc },
      { write: true, truncate: true },
    ],
    [{ base: Rights.fd_sync, oflags: 0, flags: FdFlags.sync }, { flags: FdFlags.sync }],
  ] as const;
  const nothing = { ...READ, read: false };
  for (const [asked, expected] of options) {
    harness.call('path_open', { ...OPEN, path: 'file', ...asked });
    assert.deepEqual(directory.lastOptions, { ...nothing, ...expected });
  }
  for (const bad of [{ lookup: 2 }, { oflags: 16 }, { flags: 32 }]) {
    assert.equal(harness.call('path_open', { ...OPEN, path: 'file', ...bad }), 'inval');
  }
});

test('truncating needs its right on the directory, not on what is inherited; so does synchronous writing', () => {
  const harness = new Harness();
  harness.open('file');
  const { base, inheriting } = PREOPEN_RIGHTS;
  const without = inheriting & ~(Rights.fd_filestat_set_size | Rights.fd_sync);
  harness.ok('fd_fdstat_set_rights', { fd: 3, base, inheriting: without });
  harness.open('file', { oflags: OFlags.trunc, base: 0n });
  assert.equal(harness.call('path_open', { ...OPEN, path: 'file', base: 0n, flags: FdFlags.sync }), 'notcapable');
  harness.ok('fd_fdstat_set_rights', { fd: 3, base: base & ~Rights.path_filestat_set_size, inheriting: 0n });
  assert.equal(harness.call('path_open', { ...OPEN, path: 'file', oflags: OFlags.trunc, base: 0n }), 'notcapable');
  assert.equal(harness.call('fd_fdstat_set_rights', { fd: 3, base, inheriting: 0n }), 'notcapable');
});

test('an open that takes its time can be withdrawn, and takes no number then', () => {
  const directory = new MemoryDirectory();
  const harness = new Harness({}, directory);
  let withdrawn = 0;
  const slow = new Waiting<Settled<OpenFile>>(() => withdrawn++);
  directory.held = slow;
  const open = harness.block('path_open', { ...OPEN, path: 'x' });
  assert.ok(open.withdraw());
  assert.equal(withdrawn, 1);
  const second = new Waiting<Settled<OpenFile>>(() => {});
  directory.held = second;
  const again = harness.block('path_open', { ...OPEN, path: 'x' });
  second.settle({ value: new MemoryFile() });
  assert.deepEqual(soFar(again), { opened: 0 });
  const third = new Waiting<Settled<OpenFile>>(() => {});
  directory.held = third;
  const failing = harness.block('path_open', { ...OPEN, path: 'x' });
  third.settle({ errno: ERRNO.noent });
  assert.equal(soFar(failing), 'noent');
});

test('renumber replaces a directory that the process was given, and its name with it', () => {
  const harness = new Harness();
  const fd = harness.open('file');
  harness.ok('fd_renumber', { fd, to: 3 });
  assert.equal(harness.call('fd_prestat_get', { fd: 3 }), 'badf');
  assert.equal(harness.call('fd_close', { fd }), 'badf');
  assert.equal(harness.call('fd_renumber', { fd: 3, to: fd }), 'badf');
  harness.ok('fd_renumber', { fd: 3, to: 3 });
  harness.ok('fd_close', { fd: 3 });
});

test('paths: directories, links, removal, attributes', () => {
  const harness = new Harness();
  const fd = 3;
  harness.ok('path_create_directory', { fd, path: 'd' });
  assert.equal(harness.call('path_create_directory', { fd, path: 'd' }), 'exist');
  harness.open('d/f');
  assert.equal(harness.call('path_remove_directory', { fd, path: 'd' }), 'notempty');
  harness.ok('path_link', { fd, lookup: 0, path: 'd/f', toFd: fd, toPath: 'g' });
  assert.equal(harness.ok('path_filestat_get', { fd, lookup: 1, path: 'g' }).stat.nlink, 2n);
  harness.ok('path_rename', { fd, path: 'g', toFd: fd, toPath: 'h' });
  harness.ok('path_filestat_set_times', { fd, lookup: 0, path: 'h', atim: 3n, mtim: 4n, flags: FstFlags.atim });
  assert.equal(harness.ok('path_filestat_get', { fd, lookup: 0, path: 'd/f' }).stat.atim, 3n);
  harness.ok('path_unlink_file', { fd, path: 'd/f' });
  harness.ok('path_remove_directory', { fd, path: 'd' });
  const target = new Uint8Array(4);
  assert.equal(harness.ok('path_readlink', { fd, path: 'longer', target }).count, 4);
  assert.equal(decodeUtf8(target), 'LONG');
  assert.equal(harness.ok('path_readlink', { fd, path: 'xy', target }).count, 2);
  assert.equal(decodeUtf8(target), 'XYNG');
  assert.equal(harness.call('path_symlink', { target: 't', fd, path: 'p' }), 'perm');
  for (const lookup of [2, 0xffff_ffff]) {
    assert.equal(harness.call('path_filestat_get', { fd, lookup, path: 'h' }), 'inval');
  }
});

interface Listed {
  readonly name: string;
  readonly next: bigint;
}

/** Reads a directory as wasi-libc does. */
function list(harness: Harness, room: number): readonly string[] {
  const names: string[] = [];
  for (let cookie = 0n; ;) {
    const entries = new Uint8Array(room);
    const { count } = harness.ok('fd_readdir', { fd: 3, entries, cookie });
    assert.ok(count <= room);
    const found = unpack(entries.subarray(0, count));
    names.push(...found.map(({ name }) => name));
    if (count < room) return names;
    const last = found.at(-1);
    assert.ok(last !== undefined, `no entry fits into ${room} bytes`);
    cookie = last.next;
  }
}

function unpack(bytes: Uint8Array): readonly Listed[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Listed[] = [];
  for (let at = 0; at + 24 <= bytes.length;) {
    const length = view.getUint32(at + 16, true);
    const end = at + 24 + length;
    if (end > bytes.length) break;
    found.push({ name: decodeUtf8(bytes.subarray(at + 24, end)), next: view.getBigUint64(at, true) });
    at = end;
  }
  return found;
}

test('readdir gives every entry once, whatever room there is', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-zäß€]{1,12}$/u), { maxLength: 20 }),
      fc.integer({ min: 24 + 3 * 12, max: 300 }),
      (names, room) => {
        const harness = new Harness();
        for (const path of names) harness.open(path);
        assert.deepEqual(list(harness, room), ['.', '..', ...names]);
      },
    ),
  );
  const harness = new Harness();
  const short = new Uint8Array(10);
  assert.equal(harness.ok('fd_readdir', { fd: 3, entries: short, cookie: 0n }).count, 10);
  assert.equal(harness.ok('fd_readdir', { fd: 3, entries: short, cookie: 2n }).count, 0);
});

test('the node is told of every change of a descriptor', () => {
  const harness = new Harness();
  harness.changes.length = 0;
  const fd = harness.open('a', { base: OPEN.base | Rights.fd_fdstat_set_flags });
  const other = harness.open('b');
  harness.ok('fd_fdstat_set_flags', { fd, flags: FdFlags.append });
  harness.ok('fd_fdstat_set_rights', { fd, base: Rights.fd_read, inheriting: 0n });
  harness.ok('fd_renumber', { fd, to: other });
  harness.ok('fd_close', { fd: other });
  assert.deepEqual(
    harness.changes.map((change) => [change.fd, change.descriptor !== null]),
    [
      [fd, true],
      [other, true],
      [fd, true],
      [fd, true],
      [other, true],
      [fd, false],
      [other, false],
    ],
  );
});

test('a bug of ours is not an errno', () => {
  const directory = new MemoryDirectory();
  directory.makeDirectory = () => {
    throw new TypeError('a bug');
  };
  const harness = new Harness({}, directory);
  assert.throws(() => harness.call('path_create_directory', { fd: 3, path: 'x' }), TypeError);
  directory.makeDirectory = () => {
    throw new ErrnoError(ERRNO.nospc);
  };
  assert.equal(harness.call('path_create_directory', { fd: 3, path: 'x' }), 'nospc');
});
