/**
 * What the published conformance programs of preview 1 (WebAssembly/wasi-testsuite) demand of descriptors, rights and
 * paths, said again as calls of the kernel on a real directory of the host.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { FdFlags, FileType, FstFlags, LookupFlags, OFlags, PreopenType, Rights, Whence } from '../abi/types.ts';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { openPreopen } from '../vfs/preopen.ts';
import type { ArgsOf } from './calls/implementation.ts';
import { StreamFile } from './stream.ts';
import { TestEnd } from './testing/ends.ts';
import { Harness } from './testing/harness.ts';

/** Ends with the number of the scratch directory, opened with the rights that the programs ask for. */
function scratch(run: (harness: Harness, directory: number) => void): void {
  const host = mkdtempSync(path.join(tmpdir(), 'godwit-kernel-'));
  const stdio = ['terminal', 'pipe', 'pipe'].map((kind) => {
    const file = new StreamFile(new TestEnd(kind === 'terminal' ? 'terminal' : 'pipe'));
    return { file, rights: file.rights };
  });
  const [input, output, errors] = stdio;
  assert.ok(input && output && errors);
  const harness = new Harness({ stdio: [input, output, errors] }, openPreopen(host, null));
  try {
    const { stat } = harness.ok('fd_fdstat_get', { fd: 3 });
    const root = open(harness, 3, '.', {
      oflags: OFlags.directory,
      base: stat.rightsBase,
      inheriting: stat.rightsInheriting,
    });
    harness.ok('path_create_directory', { fd: root, path: 'scratch' });
    const directory = open(harness, root, 'scratch', {
      oflags: OFlags.directory,
      base: SCRATCH_BASE,
      inheriting: SCRATCH_INHERITING,
    });
    run(harness, directory);
  } finally {
    harness.kernel.processes.end(harness.process, { how: 'exited', code: 0 });
    rmSync(host, { recursive: true });
  }
}

function open(harness: Harness, fd: number, name: string, options: Partial<ArgsOf<'path_open'>> = {}): number {
  return harness.ok('path_open', openArgs(fd, name, options)).opened;
}

function openArgs(fd: number, name: string, options: Partial<ArgsOf<'path_open'>>): ArgsOf<'path_open'> {
  return { fd, lookup: 0, path: name, oflags: OFlags.creat, base: 0n, inheriting: 0n, flags: 0, ...options };
}

function rights(...names: readonly (keyof typeof Rights)[]): bigint {
  return names.reduce((all, name) => all | Rights[name], 0n);
}

/** The rights of the programs' helper create_tmp_dir. */
const SCRATCH_BASE = rights(
  'fd_filestat_get',
  'fd_readdir',
  'path_create_file',
  'path_create_directory',
  'path_remove_directory',
  'path_open',
  'path_unlink_file',
  'path_link_source',
  'path_link_target',
  'path_readlink',
  'path_rename_source',
  'path_rename_target',
  'path_filestat_get',
  'path_filestat_set_size',
  'path_filestat_set_times',
  'path_symlink',
);
const SCRATCH_INHERITING = rights(
  'fd_read',
  'fd_write',
  'fd_readdir',
  'fd_filestat_get',
  'fd_seek',
  'path_link_source',
  'path_link_target',
  'path_open',
  'path_unlink_file',
  'path_filestat_get',
  'fd_fdstat_set_flags',
  'fd_sync',
  'fd_tell',
  'fd_advise',
  'fd_allocate',
  'fd_filestat_set_size',
  'fd_filestat_set_times',
);
const READ_WRITE = rights('fd_read', 'fd_write');

test('fd_fdstat_set_rights: rights fall away for good', () => {
  scratch((harness, directory) => {
    const fd = open(harness, directory, 'file', { base: READ_WRITE | Rights.fd_seek | Rights.fd_tell });
    assert.equal(harness.write(fd, 'abcd'), 4);
    harness.ok('fd_seek', { fd, offset: 0n, whence: Whence.set });
    assert.equal(harness.read(fd), 'abcd');
    const { stat } = harness.ok('fd_fdstat_get', { fd });
    harness.ok('fd_fdstat_set_rights', {
      fd,
      base: stat.rightsBase & ~READ_WRITE,
      inheriting: stat.rightsInheriting,
    });
    const reduced = harness.ok('fd_fdstat_get', { fd }).stat;
    assert.equal(reduced.rightsBase & READ_WRITE, 0n);
    assert.notEqual(reduced.rightsBase & Rights.fd_seek, 0n);
    assert.equal(harness.read(fd), 'badf');
    assert.equal(harness.write(fd, 'x'), 'badf');
    const more = { fd, base: stat.rightsBase, inheriting: stat.rightsInheriting };
    assert.equal(harness.call('fd_fdstat_set_rights', more), 'notcapable');
  });
});

test('truncation_rights: the right to cut a file through its path', () => {
  scratch((harness, directory) => {
    open(harness, directory, 'file');
    const { stat } = harness.ok('fd_fdstat_get', { fd: directory });
    assert.deepEqual([stat.filetype, stat.flags], [FileType.directory, 0]);
    assert.equal(stat.rightsBase & Rights.fd_filestat_set_size, 0n);
    const cut = { oflags: OFlags.trunc };
    open(harness, directory, 'file', cut);
    const inheriting = stat.rightsInheriting & ~Rights.fd_filestat_set_size;
    harness.ok('fd_fdstat_set_rights', { fd: directory, base: stat.rightsBase, inheriting });
    open(harness, directory, 'file', cut);
    const base = stat.rightsBase & ~Rights.path_filestat_set_size;
    harness.ok('fd_fdstat_set_rights', { fd: directory, base, inheriting });
    assert.equal(harness.call('path_open', openArgs(directory, 'file', cut)), 'notcapable');
  });
});

test('path_open_preopen: the same rights, none, reading, and not writing', () => {
  scratch((harness) => {
    const { prestat } = harness.ok('fd_prestat_get', { fd: 3 });
    assert.deepEqual(prestat, { tag: PreopenType.directory, nameLength: 1 });
    const { stat } = harness.ok('fd_fdstat_get', { fd: 3 });
    assert.equal(SCRATCH_BASE & ~stat.rightsBase, 0n);
    assert.equal((SCRATCH_BASE | SCRATCH_INHERITING) & ~stat.rightsInheriting, 0n);
    open(harness, 3, '.', { oflags: 0, base: stat.rightsBase, inheriting: stat.rightsInheriting });
    open(harness, 3, '.', { oflags: 0 });
    open(harness, 3, '.', { oflags: OFlags.directory });
    open(harness, 3, '.', { oflags: OFlags.directory, base: Rights.fd_read });
    open(harness, 3, '.', { oflags: 0, flags: FdFlags.nonblock });
    const write = openArgs(3, '.', { oflags: OFlags.directory, base: READ_WRITE });
    assert.equal(harness.call('path_open', write), 'isdir');
  });
});

test('path_link: a file has the same attributes and rights through each of its names', () => {
  scratch((harness, directory) => {
    const both = rights(
      'fd_read',
      'path_link_source',
      'path_link_target',
      'fd_filestat_get',
      'path_open',
      'path_unlink_file',
    );
    const asked = { base: both, inheriting: both };
    const file = open(harness, directory, 'file', asked);
    harness.ok('path_create_directory', { fd: directory, path: 'subdir' });
    const subdir = open(harness, directory, 'subdir', { ...asked, oflags: OFlags.directory });
    for (const toFd of [directory, subdir]) {
      harness.ok('path_link', { fd: directory, lookup: 0, path: 'file', toFd, toPath: 'link' });
      const link = open(harness, toFd, 'link', { ...asked, oflags: 0 });
      const [one, other] = [file, link].map((fd) => [
        harness.ok('fd_filestat_get', { fd }).stat,
        harness.ok('fd_fdstat_get', { fd }).stat,
      ]);
      assert.deepEqual(one, other);
      harness.ok('path_unlink_file', { fd: toFd, path: 'link' });
    }
    const link = { fd: directory, lookup: 0, path: 'file', toFd: directory };
    assert.equal(harness.call('path_link', { ...link, toPath: 'file' }), 'exist');
    assert.equal(harness.call('path_link', { ...link, path: 'subdir', toPath: 'link' }), 'perm');
    assert.equal(harness.call('path_link', { ...link, toPath: 'link/' }), 'noent');
  });
});

/** Which errno it is, where the programs take more than one. */
function errnoOf(result: unknown): string {
  return typeof result === 'string' ? result : 'success';
}

test('nofollow_errors: links are followed only if asked for', () => {
  scratch((harness, directory) => {
    harness.ok('path_create_directory', { fd: directory, path: 'target' });
    harness.ok('path_symlink', { target: 'target', fd: directory, path: 'symlink' });
    const at = (options: Partial<ArgsOf<'path_open'>>) =>
      harness.call('path_open', openArgs(directory, 'symlink', { oflags: 0, ...options }));
    const follow = { lookup: LookupFlags.symlinkFollow };
    assert.match(errnoOf(at({ oflags: OFlags.directory })), /^(loop|notdir)$/);
    assert.equal(at({}), 'loop');
    assert.equal(typeof at({ ...follow, oflags: OFlags.directory }), 'object');
    harness.ok('path_unlink_file', { fd: directory, path: 'symlink' });
    harness.ok('path_remove_directory', { fd: directory, path: 'target' });
    open(harness, directory, 'target');
    harness.ok('path_symlink', { target: 'target', fd: directory, path: 'symlink' });
    assert.match(errnoOf(at({ oflags: OFlags.directory })), /^(loop|notdir)$/);
    assert.equal(at({}), 'loop');
    assert.equal(at({ ...follow, oflags: OFlags.directory }), 'notdir');
  });
});

test('fd_readdir: 1000 files through a small buffer, each once', () => {
  scratch((harness, directory) => {
    for (let i = 0; i < 1000; i++) {
      const fd = open(harness, directory, `file.${i}`, { base: READ_WRITE | Rights.fd_readdir });
      harness.ok('fd_close', { fd });
    }
    const names = new Set<string>();
    let total = 0;
    for (let cookie = 0n, over = false; !over;) {
      const entries = new Uint8Array(256);
      const { count } = harness.ok('fd_readdir', { fd: directory, entries, cookie });
      const view = new DataView(entries.buffer);
      for (let at = 0; at + 24 <= count && at + 24 + view.getUint32(at + 16, true) <= count;) {
        const end = at + 24 + view.getUint32(at + 16, true);
        names.add(decodeUtf8(entries.subarray(at + 24, end)));
        total++;
        cookie = view.getBigUint64(at, true);
        at = end;
      }
      over = count < entries.length;
    }
    assert.deepEqual([total, names.size], [1002, 1002]);
  });
});

test('stdio, overwrite_preopen, close_preopen: any number can be replaced and closed', () => {
  scratch((harness, directory) => {
    for (const from of [0, 1, 2]) {
      const { stat } = harness.ok('fd_fdstat_get', { fd: from });
      const to = open(harness, directory, 'file');
      harness.ok('fd_renumber', { fd: from, to });
      assert.deepEqual(harness.ok('fd_fdstat_get', { fd: to }).stat, stat);
      assert.equal(harness.call('fd_fdstat_get', { fd: from }), 'badf');
    }
    const before = harness.ok('fd_filestat_get', { fd: directory }).stat;
    harness.ok('fd_renumber', { fd: directory, to: 3 });
    assert.deepEqual(harness.ok('fd_filestat_get', { fd: 3 }).stat, before);
    assert.equal(harness.call('fd_fdstat_get', { fd: directory }), 'badf');
    harness.ok('fd_close', { fd: 3 });
    assert.equal(harness.call('fd_fdstat_get', { fd: 3 }), 'badf');
  });
});

test('isatty: a terminal cannot be sought, a file is no terminal', () => {
  scratch((harness, directory) => {
    const isTerminal = (fd: number): boolean => {
      const { filetype, rightsBase } = harness.ok('fd_fdstat_get', { fd }).stat;
      return filetype === FileType.characterDevice && (rightsBase & (Rights.fd_seek | Rights.fd_tell)) === 0n;
    };
    assert.deepEqual([0, 1, open(harness, directory, 'file')].map(isTerminal), [true, false, false]);
  });
});

test('directory_seek, path_open_dirfd_not_dir, path_open_missing', () => {
  scratch((harness, directory) => {
    harness.ok('path_create_directory', { fd: directory, path: 'sub' });
    const sub = open(harness, directory, 'sub', { oflags: OFlags.directory, base: Rights.fd_seek });
    assert.equal(harness.call('fd_seek', { fd: sub, offset: 0n, whence: Whence.cur }), 'isdir');
    assert.equal(harness.ok('fd_fdstat_get', { fd: sub }).stat.rightsBase, 0n);
    const file = open(harness, directory, 'file');
    assert.equal(harness.call('path_open', openArgs(file, 'foo', {})), 'notdir');
    assert.equal(harness.call('path_open', openArgs(directory, 'none', { oflags: 0 })), 'noent');
    assert.equal(
      harness.call('path_open', openArgs(directory, 'file', { oflags: OFlags.creat | OFlags.excl })),
      'exist',
    );
  });
});

test('file_seek_tell, fd_flags_set, pwrite-with-append: positions', () => {
  scratch((harness, directory) => {
    const base = READ_WRITE | rights('fd_seek', 'fd_tell', 'fd_fdstat_set_flags', 'fd_filestat_get');
    const fd = open(harness, directory, 'file', { base, flags: FdFlags.append });
    assert.equal(harness.write(fd, 'aa'), 2);
    harness.ok('fd_seek', { fd, offset: 0n, whence: Whence.set });
    assert.equal(harness.write(fd, 'bb'), 2);
    assert.equal(harness.ok('fd_tell', { fd }).position, 4n);
    harness.ok('fd_pwrite', { fd, buffers: [encodeUtf8('ccc')], offset: 0n });
    assert.equal(harness.ok('fd_tell', { fd }).position, 4n);
    harness.ok('fd_fdstat_set_flags', { fd, flags: 0 });
    assert.equal(harness.ok('fd_fdstat_get', { fd }).stat.flags, 0);
    harness.ok('fd_seek', { fd, offset: 0n, whence: Whence.set });
    assert.equal(harness.write(fd, 'dddd'), 4);
    harness.ok('fd_seek', { fd, offset: 1000n, whence: Whence.cur });
    assert.equal(harness.call('fd_seek', { fd, offset: -2000n, whence: Whence.cur }), 'inval');
    assert.equal(harness.read(fd), '');
    harness.ok('fd_seek', { fd, offset: 0n, whence: Whence.set });
    assert.equal(harness.read(fd, 4), 'dddd');
  });
});

test('path_filestat, symlink_filestat, fd_filestat_set, file_allocate: attributes', () => {
  scratch((harness, directory) => {
    const base = READ_WRITE | rights('fd_filestat_get', 'fd_filestat_set_size', 'fd_filestat_set_times', 'fd_allocate');
    const flags = FdFlags.append | FdFlags.sync;
    const synchronous = open(harness, directory, 'file', { base, flags });
    assert.equal(harness.ok('fd_fdstat_get', { fd: synchronous }).stat.flags, flags);
    const fd = open(harness, directory, 'file', { base });
    harness.ok('fd_allocate', { fd, offset: 0n, length: 100n });
    harness.ok('fd_allocate', { fd, offset: 90n, length: 20n });
    harness.ok('fd_allocate', { fd, offset: 10n, length: 20n });
    const old = harness.ok('fd_filestat_get', { fd }).stat;
    assert.equal(old.size, 110n);
    harness.ok('fd_filestat_set_size', { fd, size: 100n });
    assert.equal(harness.ok('fd_filestat_get', { fd }).stat.size, 100n);
    harness.ok('fd_filestat_set_times', { fd, atim: 0n, mtim: old.mtim - 1000n, flags: FstFlags.mtim });
    harness.ok('path_symlink', { target: 'file', fd: directory, path: 'symlink' });
    const stat = (name: string, lookup: number) =>
      harness.ok('path_filestat_get', { fd: directory, lookup, path: name }).stat;
    const link = stat('symlink', 0);
    assert.equal(link.filetype, FileType.symbolicLink);
    const set = { fd: directory, path: 'symlink', atim: 0n, flags: FstFlags.mtim };
    harness.ok('path_filestat_set_times', { ...set, lookup: 0, mtim: link.mtim - 200_000n });
    assert.equal(stat('symlink', 0).mtim, link.mtim - 200_000n);
    assert.equal(stat('file', 0).mtim, old.mtim - 1000n);
    assert.equal(stat('symlink', LookupFlags.symlinkFollow).mtim, old.mtim - 1000n);
    harness.ok('path_filestat_set_times', { ...set, lookup: LookupFlags.symlinkFollow, mtim: link.mtim });
    assert.equal(stat('file', 0).mtim, link.mtim);
  });
});

test('readlink: cut to the room, the rest of the room untouched', () => {
  scratch((harness, directory) => {
    harness.ok('path_symlink', { target: 'target', fd: directory, path: 'symlink' });
    const room = new Uint8Array(10);
    assert.equal(harness.ok('path_readlink', { fd: directory, path: 'symlink', target: room }).count, 6);
    assert.deepEqual([...room], [...encodeUtf8('target'), 0, 0, 0, 0]);
    const small = new Uint8Array(4);
    assert.equal(harness.ok('path_readlink', { fd: directory, path: 'symlink', target: small }).count, 4);
    assert.equal(decodeUtf8(small), 'targ');
  });
});
