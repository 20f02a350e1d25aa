import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { errnoName } from '../abi/errno.ts';
import { FileType, OFlags } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { HostDirectory } from './hostdirectory.ts';
import { HostFile } from './hostfile.ts';
import { ErrnoError } from './openfile.ts';
import type { Directory, OpenFile, OpenOptions } from './openfile.ts';
import { canHold, openSpot } from './spot.ts';

/** What the tests do with both ways of holding directories. */
interface Scratch {
  /** The directory under test. */
  readonly root: HostDirectory;
  /** Its path on the host, and a directory beside it that no guest path may reach. */
  readonly inside: string;
  readonly outside: string;
}

function scratch(t: TestContext, held: boolean): Scratch {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-vfs-'));
  const inside = path.join(base, 'inside');
  const outside = path.join(base, 'outside');
  fs.mkdirSync(inside);
  fs.mkdirSync(outside);
  fs.writeFileSync(path.join(outside, 'secret'), 'secret');
  const root = new HostDirectory(openSpot(inside, held));
  const descriptors = countDescriptors();
  t.after(() => {
    const left = countDescriptors();
    root.close();
    fs.rmSync(base, { recursive: true });
    // Every directory that a resolution entered has been let go again.
    assert.equal(left, descriptors, 'descriptors left open');
  });
  return { root, inside, outside };
}

function countDescriptors(): number {
  return canHold ? fs.readdirSync('/proc/self/fd').length : 0;
}

/** Runs a test with directories held by descriptor, where that can be, and by name. */
function each(name: string, body: (scratch: Scratch) => void): void {
  for (const held of canHold ? [true, false] : [false]) {
    test(`${name} (${held ? 'held' : 'by name'})`, (t) => body(scratch(t, held)));
  }
}

function fails(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => {
    if (!(error instanceof ErrnoError)) throw error;
    const names = errno.split('|');
    if (!names.includes(errnoName(error.errno))) assert.fail(`${errnoName(error.errno)}, not ${errno}`);
    return true;
  });
}

const READ: OpenOptions = {
  read: true,
  write: false,
  create: false,
  exclusive: false,
  truncate: false,
  directory: false,
  followFinalLink: false,
  flags: 0,
};
/** Options from witx `oflags`. */
function options(oflags: number, more: Partial<OpenOptions> = {}): OpenOptions {
  return {
    ...READ,
    create: (oflags & OFlags.creat) !== 0,
    directory: (oflags & OFlags.directory) !== 0,
    exclusive: (oflags & OFlags.excl) !== 0,
    truncate: (oflags & OFlags.trunc) !== 0,
    ...more,
  };
}
const FOLLOW = { followFinalLink: true };

function use<T>(file: OpenFile, what: (file: OpenFile) => T): T {
  try {
    return what(file);
  } finally {
    file.close();
  }
}

function touch(directory: Directory, name: string): void {
  const file = directory.open(name, options(OFlags.creat, { write: true }));
  assert.ok(file instanceof HostFile);
  file.close();
}

function openDirectory(directory: Directory, name: string): HostDirectory {
  const opened = directory.open(name, options(OFlags.directory));
  assert.ok(opened instanceof HostDirectory);
  return opened;
}

function typeOf(directory: Directory, name: string, oflags = 0, more: Partial<OpenOptions> = {}): FileType {
  const file = directory.open(name, options(oflags, more));
  assert.ok('filetype' in file);
  return use(file, (file) => file.filetype);
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

each('odd spellings of a path name the same file, and none leaves the directory', ({ root }) => {
  root.makeDirectory('dir');
  root.makeDirectory('dir/nested');
  touch(root, 'dir/nested/file');
  assert.equal(typeOf(root, 'dir/.//nested/../../dir/nested/../nested///./file'), FileType.regularFile);
  for (const name of ['dir/nested/', 'dir/nested///', 'dir/nested/.', 'dir/nested/../nested', '.', './', 'dir/..']) {
    assert.equal(typeOf(root, name), FileType.directory, name);
  }
  for (const name of ['dir/nested/file/', 'dir/nested/file///', 'dir/nested/file/.', 'dir/nested/file/x']) {
    fails('notdir', () => root.open(name, READ));
  }
  for (const name of [
    '/dir/nested/file',
    '/',
    '..',
    '../',
    '../inside/dir',
    'dir/nested/../../../inside',
    'dir/../..',
  ]) {
    fails('perm', () => root.open(name, READ));
    fails('perm', () => root.statPath(name, true));
    fails('perm', () => root.makeDirectory(name));
    fails('perm', () => root.unlink(name));
    fails('perm', () => root.rename('dir', root, name));
  }
  fails('noent', () => root.open('', READ));
  fails('noent', () => root.open('missing/../dir', READ));
  fails('nametoolong', () => root.open('x'.repeat(LIMITS.nameBytes + 1), READ));
});

each('a directory opened below is a boundary of its own', ({ root }) => {
  root.makeDirectory('dir');
  touch(root, 'file');
  root.symlink('../file', 'dir/link');
  use(openDirectory(root, 'dir'), (dir) => {
    assert.ok(dir instanceof HostDirectory);
    fails('perm', () => dir.open('../file', READ));
    fails('perm', () => dir.open('link', options(0, FOLLOW)));
  });
  assert.equal(typeOf(root, 'dir/link', 0, FOLLOW), FileType.regularFile);
});

each('links out of the directory are not followed, whoever has made them', ({ root, inside, outside }) => {
  fs.symlinkSync(outside, path.join(inside, 'absolute'));
  fs.symlinkSync('../outside', path.join(inside, 'relative'));
  fs.symlinkSync('relative', path.join(inside, 'chained'));
  fs.symlinkSync('../outside/secret', path.join(inside, 'file'));
  for (const name of ['absolute', 'relative', 'chained']) {
    for (const below of [`${name}/secret`, `${name}/`, `${name}/.`]) {
      fails('perm', () => root.open(below, READ));
      fails('perm', () => root.statPath(below, false));
      fails('perm', () => root.setPathTimes(below, false, 'now', 'now'));
      fails('perm', () => root.readLink(below));
    }
    fails('perm', () => root.open(`${name}/new`, options(OFlags.creat, { write: true })));
    fails('perm', () => root.makeDirectory(`${name}/new`));
    fails('perm', () => root.unlink(`${name}/secret`));
    fails('perm', () => root.rename(`${name}/secret`, root, 'stolen'));
    fails('perm', () => root.link(`${name}/secret`, false, root, 'stolen'));
    fails('notdir', () => root.unlink(`${name}/`));
    fails('notdir', () => root.removeDirectory(`${name}/`));
    fails('notdir', () => root.rename(`${name}/`, root, 'renamed'));
    assert.equal(root.statPath(name, false).filetype, FileType.symbolicLink);
    fails('perm', () => root.statPath(name, true));
  }
  fails('perm', () => root.open('file', options(0, FOLLOW)));
  fails('perm', () => root.link('file', true, root, 'stolen'));
  // Removing the link itself is fine.
  root.unlink('absolute');
  assert.deepEqual(fs.readdirSync(outside), ['secret']);
});

each('final links: followed only if asked', ({ root }) => {
  root.makeDirectory('target');
  root.symlink('target', 'link');
  fails('loop|notdir', () => root.open('link', options(OFlags.directory)));
  fails('loop', () => root.open('link', READ));
  assert.equal(typeOf(root, 'link', OFlags.directory, FOLLOW), FileType.directory);
  root.removeDirectory('target');
  touch(root, 'target');
  fails('loop|notdir', () => root.open('link', options(OFlags.directory)));
  fails('loop', () => root.open('link', READ));
  fails('notdir', () => root.open('link', options(OFlags.directory, FOLLOW)));
  assert.equal(typeOf(root, 'link', 0, FOLLOW), FileType.regularFile);
  assert.equal(root.statPath('link', false).filetype, FileType.symbolicLink);
  assert.equal(root.statPath('link', true).filetype, FileType.regularFile);
});

each('dangling links', ({ root, inside }) => {
  root.symlink('target', 'link');
  fails('loop|notdir', () => root.open('link', options(OFlags.directory)));
  fails('loop', () => root.open('link', READ));
  fails('noent', () => root.open('link', options(0, FOLLOW)));
  fails('noent', () => root.statPath('link', true));
  fails('exist', () => root.open('link', options(OFlags.creat | OFlags.excl, { write: true, ...FOLLOW })));
  fails('loop', () => root.open('link', options(OFlags.creat, { write: true })));
  // POSIX: O_CREAT without O_EXCL makes what the link points to.
  assert.equal(typeOf(root, 'link', OFlags.creat, { write: true, ...FOLLOW }), FileType.regularFile);
  assert.deepEqual(fs.readdirSync(inside).sort(), ['link', 'target']);
  root.symlink('missing/target', 'deep');
  fails('noent', () => root.open('deep', options(OFlags.creat, { write: true, ...FOLLOW })));
});

each('loops of links end', ({ root }) => {
  root.symlink('loop', 'loop');
  root.symlink('b', 'a');
  root.symlink('a', 'b');
  for (const name of ['loop', 'a', 'loop/x', 'a/x', 'loop/']) fails('loop', () => root.open(name, options(0, FOLLOW)));
  fails('loop', () => root.open('loop', READ));
  root.makeDirectory('end');
  for (let i = 0; i < LIMITS.symlinks; i++) root.symlink(i === 0 ? 'end' : `chain${i - 1}`, `chain${i}`);
  assert.equal(typeOf(root, `chain${LIMITS.symlinks - 1}`, 0, FOLLOW), FileType.directory);
  root.symlink(`chain${LIMITS.symlinks - 1}`, 'onemore');
  fails('loop', () => root.open('onemore', options(0, FOLLOW)));
});

each('creating and opening: exclusive, directory, truncate, write', ({ root, inside }) => {
  touch(root, 'file');
  root.makeDirectory('dir');
  fails('exist', () => root.open('file', options(OFlags.creat | OFlags.excl, { write: true })));
  fails('exist', () => root.open('dir', options(OFlags.creat | OFlags.excl)));
  fails('exist', () => root.open('.', options(OFlags.creat | OFlags.excl)));
  fails('notdir', () => root.open('file', options(OFlags.directory)));
  fails('isdir', () => root.open('dir', options(0, { write: true })));
  fails('isdir', () => root.open('dir', options(OFlags.creat)));
  fails('isdir', () => root.open('dir', options(OFlags.trunc)));
  fails('isdir', () => root.open('new/', options(OFlags.creat, { write: true })));
  fails('inval', () => root.open('new', options(OFlags.creat | OFlags.directory)));
  fails('noent', () => root.open('missing', READ));
  fails('noent', () => root.open('missing', options(OFlags.directory)));
  fs.writeFileSync(path.join(inside, 'file'), 'content');
  assert.equal(typeOf(root, 'file', OFlags.trunc), FileType.regularFile);
  assert.equal(root.statPath('file', false).size, 0n);
  fs.writeFileSync(path.join(inside, 'file'), 'content');
  typeOf(root, 'file', OFlags.trunc | OFlags.creat, { write: true });
  assert.equal(root.statPath('file', false).size, 0n);
  assert.equal(typeOf(root, 'created', OFlags.creat, { read: false }), FileType.regularFile);
});

each('special files never hold the daemon', ({ root, inside }) => {
  fails('notsup', () => {
    // Without a writer, a plain open of a FIFO would wait for ever.
    if (process.platform !== 'win32') makeFifo(path.join(inside, 'fifo'));
    root.open('fifo', READ);
  });
  assert.equal(root.statPath('fifo', false).filetype, FileType.unknown);
  root.unlink('fifo');
});

function makeFifo(name: string): void {
  const { status } = spawnSync('mkfifo', [name]);
  assert.equal(status, 0);
}

each('names with slashes behind them', ({ root }) => {
  root.makeDirectory('dir/');
  root.removeDirectory('dir/');
  touch(root, 'file');
  fails('notdir', () => root.removeDirectory('file'));
  fails('notdir', () => root.removeDirectory('file/'));
  fails('notdir', () => root.unlink('file/'));
  root.makeDirectory('dir');
  fails('isdir', () => root.unlink('dir'));
  fails('isdir', () => root.unlink('dir/'));
  fails('isdir', () => root.unlink('.'));
  fails('inval', () => root.removeDirectory('.'));
  fails('exist', () => root.makeDirectory('dir/'));
  fails('exist', () => root.makeDirectory('file'));
  fails('exist', () => root.makeDirectory('.'));
  fails('noent', () => root.symlink('source', 'target/'));
  fails('exist', () => root.symlink('source', 'dir/'));
  fails('exist', () => root.symlink('source', 'dir'));
  fails('notdir|exist', () => root.symlink('source', 'file/'));
  fails('exist', () => root.symlink('source', 'file'));
  fails('noent', () => root.link('file', false, root, 'hard/'));
  root.rename('dir/', root, 'moved');
  root.rename('moved', root, 'dir/');
  root.rename('dir/', root, 'moved/');
  fails('notdir', () => root.rename('file/', root, 'other'));
  fails('notdir', () => root.rename('file', root, 'other/'));
});

each('rename', ({ root, inside }) => {
  root.makeDirectory('a');
  root.makeDirectory('b');
  root.rename('a', root, 'b');
  fails('noent', () => root.open('a', options(OFlags.directory)));
  root.makeDirectory('a');
  touch(root, 'b/file');
  fails('notempty', () => root.rename('a', root, 'b'));
  fails('notdir', () => root.rename('a', root, 'b/file'));
  touch(root, 'c');
  fails('isdir', () => root.rename('c', root, 'a'));
  fs.writeFileSync(path.join(inside, 'd'), 'new');
  root.rename('d', root, 'c');
  assert.equal(fs.readFileSync(path.join(inside, 'c'), 'utf8'), 'new');
  fails('noent', () => root.rename('d', root, 'e'));
  fails('inval', () => root.rename('a', root, 'a/below'));
  fails('busy', () => root.rename('.', root, 'e'));
  fails('busy', () => root.rename('a', root, 'b/..'));
  use(openDirectory(root, 'b'), (b) => {
    assert.ok(b instanceof HostDirectory);
    root.rename('c', b, 'c');
    b.rename('c', root, 'c');
  });
  fails('notempty', () => root.removeDirectory('b'));
});

each('hard links', ({ root, inside }) => {
  touch(root, 'file');
  root.makeDirectory('dir');
  root.link('file', false, root, 'dir/link');
  assert.equal(root.statPath('file', false).nlink, 2n);
  assert.equal(root.statPath('dir/link', false).ino, root.statPath('file', false).ino);
  for (const to of ['dir/link', 'dir', 'file', '.']) fails('exist', () => root.link('file', false, root, to));
  fails('perm', () => root.link('dir', false, root, 'x'));
  fails('noent', () => root.link('missing', false, root, 'x'));
  root.symlink('missing', 'dangling');
  fails('exist', () => root.link('file', false, root, 'dangling'));
  root.link('dangling', false, root, 'copy');
  assert.equal(fs.readlinkSync(path.join(inside, 'copy')), 'missing');
  fails('noent', () => root.link('dangling', true, root, 'other'));
  root.symlink('file', 'alias');
  root.link('alias', true, root, 'third');
  assert.equal(root.statPath('third', false).nlink, 3n);
});

each('readlink and symlink', ({ root }) => {
  root.symlink('some/where', 'link');
  assert.equal(text(root.readLink('link')), 'some/where');
  touch(root, 'file');
  fails('inval', () => root.readLink('file'));
  fails('inval', () => root.readLink('.'));
  fails('noent', () => root.readLink('missing'));
  fails('perm', () => root.symlink('/', 'bad'));
  fails('noent', () => root.symlink('', 'bad'));
});

each('times of paths and links', ({ root }) => {
  touch(root, 'file');
  root.symlink('file', 'link');
  const before = root.statPath('file', false);
  root.setPathTimes('link', false, null, 1_500_000_000_123_456_789n);
  assert.equal(root.statPath('link', false).mtim, 1_500_000_000_123_456_789n);
  assert.equal(root.statPath('file', false).mtim, before.mtim);
  root.setPathTimes('link', true, 7n, null);
  const after = root.statPath('file', false);
  assert.equal(after.atim, 7n);
  assert.equal(after.mtim, before.mtim, 'an omitted time stays as it is to the nanosecond');
  root.setPathTimes('.', false, 5n, 6n);
  assert.deepEqual([root.stat().atim, root.stat().mtim], [5n, 6n]);
  fails('notdir', () => root.setPathTimes('file/', false, 'now', 'now'));
});

each('readdir: dots, inode numbers, stable cookies', ({ root }) => {
  const ino = root.stat().ino;
  assert.deepEqual(
    [...root.entries(0n)].map(({ name, ino, filetype }) => ({ name, ino, filetype })),
    [
      { name: '.', ino, filetype: FileType.directory },
      { name: '..', ino, filetype: FileType.directory },
    ],
  );
  for (let i = 0; i < 600; i++) touch(root, `file${i}`);
  root.makeDirectory('dir');
  root.symlink('file0', 'link');
  const all = [...root.entries(0n)];
  assert.equal(all.length, 604);
  assert.equal(new Set(all.map((entry) => entry.name)).size, 604);
  for (const entry of all.slice(2)) {
    const stat = root.statPath(entry.name, false);
    assert.deepEqual([entry.ino, entry.filetype], [stat.ino, stat.filetype]);
  }
  // What changes meanwhile does not shift the places.
  touch(root, 'new');
  root.unlink(all[300]?.name ?? '');
  assert.deepEqual([...root.entries(all[299]?.next ?? 0n)], all.slice(301));
  assert.deepEqual([...root.entries(BigInt(all.length))], []);
  assert.deepEqual([...root.entries((1n << 64n) - 1n)], []);
  assert.equal([...root.entries(0n)].length, 604);
  use(openDirectory(root, 'dir'), (dir) => {
    assert.ok(dir instanceof HostDirectory);
    assert.deepEqual(
      [...dir.entries(0n)].map((entry) => entry.ino),
      [dir.stat().ino, ino],
    );
  });
});

each('a directory that is removed while it is open', ({ root }) => {
  root.makeDirectory('dir');
  use(openDirectory(root, 'dir'), (dir) => {
    assert.ok(dir instanceof HostDirectory);
    root.removeDirectory('dir');
    fails('noent', () => dir.open('x', options(OFlags.creat, { write: true })));
    fails('noent', () => dir.makeDirectory('x'));
  });
});

test('a held directory is found wherever it is moved', { skip: !canHold }, (t) => {
  const { root, inside, outside } = scratch(t, true);
  root.makeDirectory('dir');
  use(openDirectory(root, 'dir'), (dir) => {
    assert.ok(dir instanceof HostDirectory);
    fs.renameSync(path.join(inside, 'dir'), path.join(outside, 'elsewhere'));
    touch(dir, 'file');
    assert.deepEqual(fs.readdirSync(path.join(outside, 'elsewhere')), ['file']);
    fails('perm', () => dir.open('../secret', READ));
  });
});

each('what a directory refuses as a file', ({ root }) => {
  fails('isdir', () => root.read());
  fails('badf|isdir', () => root.write());
  fails('isdir', () => root.seek());
  fails('inval', () => root.setSize());
  fails('badf', () => root.allocate());
  root.advise(0n, 10n, 0);
  root.sync();
});
