import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { FileType, OFlags } from '../abi/types.ts';
import { HostDirectory } from './hostdirectory.ts';
import { canHold, openSpot } from './spot.ts';
import { READ, each, fails, openDirectory, options, scratch, text, touch, typeOf, use } from './testing/scratch.ts';

const noModes = process.platform === 'win32' && 'files have no permission bits here';

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

test('what is made in a directory and below it has the umask that belongs to the directory', { skip: noModes }, (t) => {
  const { inside } = scratch(t, canHold);
  const own = process.umask(0o022);
  t.after(() => process.umask(own));
  const modeOf = (name: string) => (fs.statSync(path.join(inside, name)).mode & 0o777).toString(8);
  for (const [umask, file, directory] of [
    [0o077, '600', '700'],
    [0, '666', '777'],
    [0o777, '0', '0'],
    [null, '644', '755'],
  ] as const) {
    const root = new HostDirectory(openSpot(inside, canHold), umask);
    root.makeDirectory('dir');
    touch(root, 'file');
    assert.deepEqual([modeOf('file'), modeOf('dir')], [file, directory]);
    fails('exist', () => root.makeDirectory('dir'));
    fails('exist', () => root.open('file', options(OFlags.creat | OFlags.excl, { write: true })));
    fs.chmodSync(path.join(inside, 'dir'), 0o700);
    const below = openDirectory(root, 'dir');
    touch(below, 'file');
    assert.equal(modeOf('dir/file'), file);
    // What the daemon makes itself is as before.
    fs.writeFileSync(path.join(inside, 'own'), '');
    assert.equal(modeOf('own'), '644');
    for (const opened of [below, root]) opened.close();
    for (const name of fs.readdirSync(inside)) fs.rmSync(path.join(inside, name), { recursive: true });
  }
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

each('readdir: names that are not UTF-8 are left out, and nothing beside them', ({ root, inside }) => {
  if (process.platform !== 'linux') return;
  fs.writeFileSync(Buffer.concat([Buffer.from(`${inside}/`), Buffer.from([0xff, 0xfe])]), '');
  for (const name of ['a', 'ü']) touch(root, name);
  const names = [...root.entries(0n)].map(({ name }) => name);
  assert.deepEqual(names.sort(), ['.', '..', 'a', 'ü']);
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
});

each('a directory is synchronised, and holds no descriptor for it', async ({ root }) => {
  const waiting = root.sync();
  assert.ok(waiting.pending);
  assert.deepEqual(await new Promise((resolve) => waiting.whenDone(resolve)), { value: undefined });
});
