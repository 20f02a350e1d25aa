/** What a command's output does to what was there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { moduleBytes } from '../../test/spec/text.ts';
import { temporaryDirectory } from '../admin/testing/served.ts';
import { nativeCalls } from '../vfs/native.ts';
import { type Output, requireWritable, writeOutput } from './output-file.ts';
import { type Outcome, godwitInShell, start, startGodwit } from './testing/commands.ts';

const posix = process.platform === 'win32' && 'needs links, modes and ulimit';

interface Scratch {
  readonly directory: string;
  readonly output: (name: string) => Output;
  readonly read: (name: string) => string;
  readonly write: (name: string, content: string) => void;
}

function scratch(t: TestContext): Scratch {
  const directory = temporaryDirectory(t);
  return {
    directory,
    output: (name) => ({ what: 'it', given: name, absolute: path.join(directory, name) }),
    read: (name) => fs.readFileSync(path.join(directory, name), 'utf8'),
    write: (name, content) => fs.writeFileSync(path.join(directory, name), content),
  };
}

test('a file is made, or replaced with its permissions', { skip: posix }, (t) => {
  const { directory, output, read, write } = scratch(t);
  writeOutput(output('new'), 'made');
  assert.equal(read('new'), 'made');
  assert.equal(fs.statSync(path.join(directory, 'new')).mode & 0o777, 0o666 & ~process.umask());
  write('old', 'before');
  fs.chmodSync(path.join(directory, 'old'), 0o750);
  writeOutput(output('old'), 'after');
  assert.equal(read('old'), 'after');
  assert.equal(fs.statSync(path.join(directory, 'old')).mode & 0o777, 0o750);
  assert.deepEqual(fs.readdirSync(directory).toSorted(), ['new', 'old']);
});

test('the longest name and one that is not UTF-8', { skip: process.platform !== 'linux' }, (t) => {
  const { directory, output } = scratch(t);
  for (const name of ['n'.repeat(255), 'a\udcff']) {
    for (const content of ['first', 'second']) writeOutput(output(name), content);
  }
  const names = fs.readdirSync(directory, 'buffer').map((name) => name.toString('latin1'));
  assert.deepEqual(names.toSorted(), ['a\xff', 'n'.repeat(255)]);
});

test('a link stays one, and what it leads to is written', { skip: posix }, (t) => {
  const { directory, output, read, write } = scratch(t);
  fs.mkdirSync(path.join(directory, 'below'));
  write('below/file', 'before');
  fs.symlinkSync('below/file', path.join(directory, 'link'));
  fs.symlinkSync('below/none', path.join(directory, 'dangling'));
  writeOutput(output('link'), 'after');
  writeOutput(output('dangling'), 'made');
  assert.deepEqual([read('below/file'), read('below/none')], ['after', 'made']);
  assert.equal(fs.readlinkSync(path.join(directory, 'link')), 'below/file');
  assert.deepEqual(fs.readdirSync(path.join(directory, 'below')).toSorted(), ['file', 'none']);
});

test('nobody reads the new content before it has the permissions of the old', { skip: posix }, (t) => {
  const { directory, output, write } = scratch(t);
  write('old', 'before');
  fs.chmodSync(path.join(directory, 'old'), 0o640);
  const { chownSync } = fs;
  const modes: number[] = [];
  t.mock.method(fs, 'chownSync', (file: fs.PathLike, uid: number, gid: number) => {
    modes.push(fs.statSync(file).mode & 0o777);
    chownSync(file, uid, gid);
  });
  writeOutput(output('old'), 'after');
  assert.deepEqual(modes, [0o600]);
  assert.equal(fs.statSync(path.join(directory, 'old')).mode & 0o777, 0o640);
});

test('a file keeps its owner', { skip: process.getuid?.() !== 0 && 'needs root' }, (t) => {
  const { directory, output, write } = scratch(t);
  write('old', 'before');
  fs.chownSync(path.join(directory, 'old'), 1, 2);
  writeOutput(output('old'), 'after');
  const { uid, gid } = fs.statSync(path.join(directory, 'old'));
  assert.deepEqual([uid, gid], [1, 2]);
});

test('all names of a file have what was written', { skip: posix }, (t) => {
  const { directory, output, read, write } = scratch(t);
  write('one', 'before');
  fs.linkSync(path.join(directory, 'one'), path.join(directory, 'other'));
  writeOutput(output('one'), 'new');
  assert.deepEqual([read('one'), read('other')], ['new', 'new']);
});

/** The words of a command line that writes `new` and a line feed to a path. */
function writing(absolute: string): string[] {
  const script = `import { writeOutput } from ${JSON.stringify(new URL('output-file.ts', import.meta.url))};
    const [, absolute] = process.argv;
    writeOutput({ what: 'it', given: absolute, absolute }, 'new\\n');`;
  return [process.execPath, '--input-type=module', '-e', script, absolute];
}

/** setxattr(2) of a file of this name; null where attributes cannot be looked at. */
function attributeSetter(): ((file: string, name: string, value: Uint8Array) => unknown) | null {
  if (nativeCalls() === null) return null;
  const ffi = (process.getBuiltinModule as (name: string) => unknown)('node:ffi') as {
    readonly DynamicLibrary: new (path: null) => {
      getFunction(name: string, signature: object): (...values: readonly unknown[]) => unknown;
    };
  };
  const parameters = ['string', 'string', 'buffer', 'uint64', 'int32'];
  const set = new ffi.DynamicLibrary(null).getFunction('setxattr', { return: 'int32', arguments: parameters });
  return (file, name, value) => set(file, name, value, BigInt(value.length), 0);
}

/** Version 2: the owner's, user 1000's, the group's, the mask and the others' rights. */
const ACCESS_LIST = Buffer.from(
  '0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000400ffffffff',
  'hex',
);

test('a file keeps its access list and the attributes that its user has given it', (t) => {
  const { directory, output, read, write } = scratch(t);
  const set = attributeSetter();
  for (const [name, value] of [
    ['user.origin', Buffer.from('here')],
    ['system.posix_acl_access', ACCESS_LIST],
  ] as const) {
    write('old', 'before');
    const file = path.join(directory, 'old');
    if (set?.(file, name, value) !== 0) return t.skip('there are no such attributes here');
    const { ino } = fs.statSync(file);
    writeOutput(output('old'), 'after');
    assert.deepEqual([read('old'), fs.statSync(file).ino], ['after', ino]);
    fs.rmSync(file);
  }
  assert.deepEqual(fs.readdirSync(directory), []);
});

test('to a file that is open as a descriptor is added', { skip: posix }, async (t) => {
  const { directory, read, write } = scratch(t);
  const shell = (script: string, absolute: string): Promise<Outcome> =>
    start(t, '/bin/sh', ['-c', script, 'sh', ...writing(absolute)], { cwd: directory }).outcome;
  fs.symlinkSync('/dev/stdout', path.join(directory, 'link'));
  const file = path.join(directory, 'file');
  for (const [redirection, absolute] of [
    ['> file', '/dev/stdout'],
    ['>> file', '/dev/stdout'],
    ['2> file >&2', '/dev/stderr'],
    ['> file', '/dev/fd/1'],
    ['> file', path.join(directory, 'link')],
    ['> file', file],
  ] as const) {
    write('file', 'old\n');
    const { stderr, status } = await shell(`(echo before; "$@"; echo after) ${redirection}`, absolute);
    assert.deepEqual([stderr, status], ['', 0]);
    const old = redirection.startsWith('>>') ? 'old\n' : '';
    assert.equal(read('file'), `${old}before\nnew\nafter\n`, `${redirection} ${absolute}`);
  }
  const nameless = await shell('exec 5> gone 6< gone; rm gone; echo before >&5; "$@" && cat <&6', '/dev/fd/5');
  assert.deepEqual(nameless, { ...nameless, stdout: 'before\nnew\n', stderr: '', status: 0 });
  assert.deepEqual(fs.readdirSync(directory).toSorted(), ['file', 'link']);
});

test('what is no regular file is written, not replaced', { skip: posix }, () => {
  const device: Output = { what: 'it', given: '/dev/null', absolute: '/dev/null' };
  requireWritable(device, '/none');
  writeOutput(device, 'anything');
  assert.ok(fs.statSync('/dev/null').isCharacterDevice());
});

// Root may write everywhere, but for the time of a command it can give that up.
const giveUp = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override', '--'] : [];
const mayNot = posix || (spawnSync('/usr/bin/env', [...giveUp, 'true']).status !== 0 && 'root needs setpriv(1)');

test('in a directory in which no file can be made, one is written in place', { skip: mayNot }, async (t) => {
  const { directory, read, write } = scratch(t);
  write('old', 'before');
  const { ino } = fs.statSync(path.join(directory, 'old'));
  fs.chmodSync(directory, 0o555);
  const words = [...giveUp, ...writing(path.join(directory, 'old'))];
  const { stderr, status } = await start(t, '/usr/bin/env', words).outcome;
  // Otherwise nobody but root can remove it.
  fs.chmodSync(directory, 0o755);
  assert.deepEqual([stderr, status, read('old')], ['', 0, 'new\n']);
  assert.equal(fs.statSync(path.join(directory, 'old')).ino, ino);
});

const PROGRAM = `(module (func (export "_start")))`;

test('no command writes over the program that it reads, whatever names it has', { skip: posix }, async (t) => {
  const { directory } = scratch(t);
  const bytes = Buffer.from(await moduleBytes(PROGRAM));
  const file = path.join(directory, 'p.wasm');
  fs.writeFileSync(file, bytes);
  fs.symlinkSync('p.wasm', path.join(directory, 'symbolic'));
  fs.linkSync(file, path.join(directory, 'hard'));
  const godwit = (...words: string[]): Promise<Outcome> => startGodwit(t, words, { cwd: directory }).outcome;
  for (const name of ['./p.wasm', 'symbolic', 'hard']) {
    const rewritten = await godwit('rewrite', 'p.wasm', '-o', name);
    assert.match(rewritten.stderr, /^godwit: cannot write the module to .*: it is the program itself; name another/);
    assert.equal(rewritten.status, 2);
    const run = await godwit('run', '--stats', name, 'p.wasm');
    assert.match(run.stderr, /^godwit: cannot write the statistics to .*: it is the program itself; name another/);
    assert.equal(run.status, 125);
    assert.ok(bytes.equals(fs.readFileSync(file)), name);
  }
  assert.deepEqual(fs.readdirSync(directory).toSorted(), ['hard', 'p.wasm', 'symbolic']);
});

test('an output that cannot be looked at has its message', { skip: posix }, (t) => {
  const { directory, output } = scratch(t);
  fs.symlinkSync('loop', path.join(directory, 'loop'));
  assert.throws(
    () => requireWritable(output('loop'), path.join(directory, 'none')),
    /^GodwitError: cannot write it to loop: too many symbolic links; name another file$/,
  );
});

test('on a full disk what was there stays, and nothing else is left', { skip: posix }, async (t) => {
  const { directory, read, write } = scratch(t);
  fs.writeFileSync(path.join(directory, 'p.wasm'), await moduleBytes(PROGRAM));
  write('old', 'before');
  const cache = path.join(directory, '.cache');
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  for (const name of ['old', 'new']) {
    const script = `ulimit -f 0; exec ${godwitInShell()} rewrite p.wasm -o ${name}`;
    const { stderr, status } = await start(t, '/bin/sh', ['-c', script], { cwd: directory, env }).outcome;
    assert.match(stderr, /^godwit: cannot write the module to (old|new): .*; name another file\n$/);
    assert.equal(status, 1);
  }
  assert.equal(read('old'), 'before');
  assert.deepEqual(fs.readdirSync(directory).toSorted(), ['.cache', 'old', 'p.wasm']);
});
