/** What paths name in a directory of the host, and that none leaves it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { FileType, OFlags } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { HostDirectory } from './hostdirectory.ts';
import { FOLLOW, READ, each, fails, openDirectory, options, touch, typeOf, use } from './testing/scratch.ts';

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
