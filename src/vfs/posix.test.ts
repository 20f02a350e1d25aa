/**
 * Compares a HostDirectory with the operating system itself: the same random calls on two equal trees must end with
 * the same errno and leave the same trees.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { errnoName } from '../abi/errno.ts';
import { HostDirectory } from './hostdirectory.ts';
import { ErrnoError } from './openfile.ts';
import { canHold, openSpot } from './spot.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC } = fs.constants;

/** Few names, so that calls meet each other's files. */
const anyPath = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'a', 'b', 'c', '.', '..'), { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '', '', '/', '//'),
  )
  .map(([names, slash]) => names.join('/') + slash);

const anyCall = fc.oneof(
  fc.record({ call: fc.constantFrom('mkdir', 'rmdir', 'unlink', 'readlink', 'stat', 'lstat'), at: anyPath }),
  fc.record({ call: fc.constantFrom('symlink', 'link', 'rename'), at: anyPath, to: anyPath }),
  fc.record({
    call: fc.constant('open'),
    at: anyPath,
    create: fc.boolean(),
    exclusive: fc.boolean(),
    truncate: fc.boolean(),
    directory: fc.boolean(),
    write: fc.boolean(),
    followFinalLink: fc.boolean(),
  }),
);
type Call = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

/** What a call came to: `ok`, with what it found, or an errno's name. */
function ours(root: HostDirectory, call: Call): string {
  try {
    return `ok ${carryOut(root, call)}`;
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    return errnoName(error.errno);
  }
}

function carryOut(root: HostDirectory, call: Call): string {
  const { at } = call;
  if ('create' in call) {
    const file = root.open(at, { ...call, read: true, flags: 0 });
    assert.ok('close' in file);
    file.close();
    return '';
  }
  if ('to' in call) {
    if (call.call === 'symlink') root.symlink(call.to, at);
    if (call.call === 'link') root.link(at, false, root, call.to);
    if (call.call === 'rename') root.rename(at, root, call.to);
    return '';
  }
  if (call.call === 'mkdir') root.makeDirectory(at);
  if (call.call === 'rmdir') root.removeDirectory(at);
  if (call.call === 'unlink') root.unlink(at);
  if (call.call === 'readlink') return Buffer.from(root.readLink(at)).toString();
  if (call.call === 'stat') return String(root.statPath(at, true).filetype);
  if (call.call === 'lstat') return String(root.statPath(at, false).filetype);
  return '';
}

function native(base: string, call: Call): string {
  const under = (name: string): string => `${base}/${name}`;
  const at = under(call.at);
  try {
    if ('create' in call) {
      const flags =
        (call.write ? O_RDWR : O_RDONLY) |
        (call.create ? O_CREAT : 0) |
        // Without O_CREAT the meaning of O_EXCL is open; path_open ignores it.
        (call.create && call.exclusive ? O_EXCL : 0) |
        (call.truncate ? O_TRUNC : 0) |
        (call.directory ? O_DIRECTORY : 0) |
        (call.followFinalLink ? 0 : O_NOFOLLOW);
      fs.closeSync(fs.openSync(at, flags));
      return 'ok ';
    }
    if ('to' in call) {
      if (call.call === 'symlink') fs.symlinkSync(call.to, at);
      if (call.call === 'link') fs.linkSync(at, under(call.to));
      if (call.call === 'rename') fs.renameSync(at, under(call.to));
      return 'ok ';
    }
    if (call.call === 'mkdir') fs.mkdirSync(at);
    if (call.call === 'rmdir') fs.rmdirSync(at);
    if (call.call === 'unlink') fs.unlinkSync(at);
    if (call.call === 'readlink') return `ok ${fs.readlinkSync(at)}`;
    if (call.call === 'stat') return `ok ${typeOf(fs.statSync(at))}`;
    if (call.call === 'lstat') return `ok ${typeOf(fs.lstatSync(at))}`;
    return 'ok ';
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error);
    return String(error.code).slice(1).toLowerCase();
  }
}

function typeOf(stats: fs.Stats): number {
  return stats.isDirectory() ? 3 : stats.isSymbolicLink() ? 7 : 4;
}

/** Not by a recursive readdir: that follows links, which here lead round in circles. */
function tree(base: string): unknown {
  return fs
    .readdirSync(base)
    .sort()
    .map((name) => {
      const at = path.join(base, name);
      const stats = fs.lstatSync(at);
      if (stats.isDirectory()) return [name, tree(at)];
      return [name, stats.isSymbolicLink() ? fs.readlinkSync(at) : stats.nlink];
    });
}

for (const held of [true, false]) {
  test(`as the system itself (${held ? 'held' : 'by name'})`, { skip: !canHold }, (t) => {
    const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-posix-'));
    t.after(() => fs.rmSync(base, { recursive: true }));
    let run = 0;
    fc.assert(
      fc.property(fc.array(anyCall, { minLength: 5, maxLength: 25 }), (calls) => {
        const [left, right] = ['left', 'right'].map((side) => path.join(base, String(run), side, 'root'));
        run += 1;
        assert.ok(left !== undefined && right !== undefined);
        fs.mkdirSync(left, { recursive: true });
        fs.mkdirSync(right, { recursive: true });
        const root = new HostDirectory(openSpot(left, held), null);
        let linked = false;
        try {
          for (const call of calls) {
            const got = ours(root, call);
            linked ||= call.call === 'symlink';
            // It would have left the directory, which the system does not mind; the rest of the run stays inside.
            if (got === 'perm' && (linked || JSON.stringify(call).includes('..'))) continue;
            assert.equal(got, native(right, call), JSON.stringify(call));
          }
          assert.deepEqual(tree(left), tree(right));
          assert.deepEqual(fs.readdirSync(path.dirname(left)), ['root']);
        } finally {
          root.close();
        }
      }),
      { numRuns: 150 },
    );
  });
}
