/** What wrong input gets: one clear line on stderr, the right exit status, nothing left running and nothing lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { UpJson } from '../../src/cli/up-json.ts';
import { fixture } from '../support/build.ts';
import { eventually, isAlive, Lab, type Result, within } from '../support/lab.ts';

let lab: Lab;
let hello: Uint8Array;
before(async () => {
  lab = await Lab.start({ nodes: 2 });
  hello = (await fixture('hello')).bytes;
});
after(() => lab.stop());

async function fileWith(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(lab.directory, name);
  await writeFile(file, bytes);
  return file;
}

/** One line, from us, that matches; nothing on stdout. */
function checkRefused({ stdout, stderr, status }: Result, expected: number, words: RegExp): void {
  assert.match(stderr, /^godwit: [^\n]+\n$/);
  assert.match(stderr, words);
  assert.deepEqual([stdout, status], ['', expected]);
}

async function checkRun(file: string, status: number, words: RegExp, options: readonly string[] = []): Promise<void> {
  for (const node of ['node1', null]) checkRefused(await lab.run(['run', ...options, file], { node }), status, words);
}

const MAGIC = [0, 0x61, 0x73, 0x6d];
const text = (s: string): number[] => [s.length, ...Buffer.from(s)];

describe('a program that cannot run', () => {
  test('no such file', () => checkRun('missing.wasm', 127, /missing\.wasm/));
  test('a directory', () => checkRun(lab.directory, 126, /directory/));
  test('not a module', async () =>
    checkRun(await fileWith('text.wasm', Buffer.from('#!/bin/sh\n')), 126, /text\.wasm/));
  test('an empty file', async () => checkRun(await fileWith('empty.wasm', Buffer.of()), 126, /empty\.wasm/));
  test('a truncated module', async () =>
    checkRun(await fileWith('half.wasm', hello.subarray(0, hello.length / 2)), 126, /half\.wasm/));
  test('a component', async () => {
    const bytes = Uint8Array.of(...MAGIC, 0x0d, 0, 1, 0);
    await checkRun(await fileWith('component.wasm', bytes), 126, /component/);
  });
  test('a section that claims 4 GB', async () => {
    const bytes = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 10, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3);
    await checkRun(await fileWith('claims.wasm', bytes), 126, /claims\.wasm/);
  });
  test('a file of 4 GB', async () => {
    const file = await fileWith('huge.wasm', hello);
    await truncate(file, 2 ** 32);
    await checkRun(file, 126, /huge\.wasm/);
  });
  test('unknown imports, each by name', async () => {
    const imports = [...text('env'), ...text('alpha'), 0, 0, ...text('env'), ...text('beta'), 0, 0];
    const bytes = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, imports.length + 1, 2, ...imports);
    const file = await fileWith('imports.wasm', bytes);
    for (const node of ['node1', null]) {
      const { stderr, status } = await lab.run(['run', file], { node });
      assert.match(stderr, /^godwit: [^]*alpha[^]*beta/);
      assert.equal(status, 126);
    }
  });
  test('a library without a start', async () => {
    await checkRun(await fileWith('library.wasm', Uint8Array.of(...MAGIC, 1, 0, 0, 0)), 126, /_start/);
  });
  const skip = process.getuid?.() === 0 && 'root may read everything';
  test('no permission', { skip }, async () => {
    const file = await fileWith('secret.wasm', hello);
    await chmod(file, 0);
    await checkRun(file, 126, /secret\.wasm/);
  });
  test('a directory that cannot be given', async () => {
    const file = await fileWith('hello.wasm', hello);
    await checkRun(file, 125, /no-such-directory/, ['--dir', 'no-such-directory']);
  });
  test('a node that does not exist', async () => {
    const file = await fileWith('hello.wasm', hello);
    checkRefused(await lab.run(['run', '--node', 'nowhere', file]), 125, /nowhere[^]*node1/);
  });
  test('an address that is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    try {
      await checkRun(await fileWith('hello.wasm', hello), 125, /in use/, ['--listen', `127.0.0.1:${port}`]);
    } finally {
      server.close();
    }
  });
  test('nothing of it is left', async () => assert.deepEqual(await lab.ps(), []));
});

describe('a command line that is wrong', () => {
  for (const args of [
    ['nonsense'],
    ['run'],
    ['run', '--nonsense', 'x.wasm'],
    ['migrate', '1'],
    ['kill', '-NONSENSE', '1'],
    ['run', '--hop', '7', 'hello.wasm'],
  ]) {
    test(args.join(' '), async () => {
      const { stdout, stderr, status } = await lab.run(args);
      assert.match(stderr, /^godwit: /);
      // What run says must not be mistaken for a program's status.
      assert.equal(status, args[0] === 'run' ? 125 : 2);
      assert.equal(stdout, '');
    });
  }

  test('no node is running', async () => {
    for (const args of [
      ['ps'],
      ['nodes'],
      ['kill', '1'],
      ['migrate', '1', 'home'],
      ['token'],
      ['down'],
      ['wait', '1'],
    ]) {
      const { stderr, status } = await lab.run(args, { node: null });
      assert.match(stderr, /^godwit: [^\n]*godwit up[^\n]*\n$/, args.join(' '));
      assert.equal(status, 125, args.join(' '));
    }
  });
});

/** `godwit up` that must fail; it gets a state directory and a socket of its own. */
async function up(name: string, options: readonly string[], listen = '127.0.0.1:0'): Promise<Result> {
  const state = path.join(lab.directory, name);
  const args = ['up', '--name', name, '--state', state, '--socket', path.join(lab.directory, `${name}.sock`)];
  return lab.run([...args, '--listen', listen, ...options], { node: null });
}

describe('a node that cannot start', () => {
  const joining = async (): Promise<{ readonly token: string; readonly address: string }> =>
    lab.ask((node) => node.token());

  test('with a token that is garbage, of another form, or used', async () => {
    const { address, token } = await joining();
    const used = await lab.ask((node) => node.token());
    const node3 = await lab.up('node3', ['--join', address, '--token', used.token]);
    node3.kill('SIGTERM');
    await node3.running.result();
    for (const wrong of ['garbage', `${token.slice(0, -4)}AAAA`, used.token]) {
      checkRefused(await up('refused', ['--join', address, '--token', wrong]), 1, /token/);
    }
  });

  test('where nobody listens', async () => {
    const { token } = await joining();
    for (const address of ['127.0.0.1:1', 'localhost:1']) {
      const refused = await up('alone', ['--join', address, '--token', token]);
      checkRefused(refused, 1, new RegExp(`${address}: no node listens there; "godwit token"`));
    }
  });

  test('where something else listens', async () => {
    const server = http.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    try {
      const { token } = await joining();
      checkRefused(await up('alone', ['--join', address, '--token', token]), 1, /what listens there is no Godwit node/);
    } finally {
      server.close();
    }
  });

  test('with a token from standard input that is none', async () => {
    const { address } = await joining();
    // What `up` of this file gives to standard input is empty.
    checkRefused(await up('silent', ['--join', address, '--token', '-']), 2, /standard input has no token/);
  });

  test('on a port that is in use', async () => {
    const { address, token } = await joining();
    checkRefused(await up('port', [], address), 1, /in use/);
    // The state directory is that of a new cluster now, which is not left by the way.
    const options = ['--join', address, '--token', token];
    checkRefused(await up('port', options), 1, /port: it belongs to a node of a cluster already; .*without --join/);
  });

  test('on an address that is none, which is forgotten', async () => {
    checkRefused(await up('nowhere', [], '127.0.0.1:99999'), 2, /127\.0\.0\.1:99999/);
    const { address } = await joining();
    checkRefused(await up('nowhere', ['--join', address, '--token', 'garbage']), 1, /token/);
  });

  test('on a state directory that another node uses', async () => {
    const args = [
      'up',
      '--state',
      path.join(lab.directory, 'node1'),
      '--socket',
      path.join(lab.directory, 'second.sock'),
    ];
    checkRefused(await lab.run(args, { node: null }), 1, /node1/);
    assert.equal((await lab.nodeList()).find(({ name }) => name === 'node1')?.state, 'up');
  });

  test('on a control socket that another node uses', async () => {
    const args = ['up', '--state', path.join(lab.directory, 'other'), '--socket', lab.socketOf('node1')];
    checkRefused(await lab.run(args, { node: null }), 1, /socket|godwit down/);
  });

  test('with a state directory that is a file, or damaged', async () => {
    const file = await fileWith('state-file', hello);
    for (const state of [file, path.join(file, 'below')]) {
      const refused = await lab.run(['up', '--state', state, '--socket', `${file}.sock`], { node: null });
      checkRefused(refused, 1, /state-file is there, and is no directory; choose another with --state/);
    }
    await mkdir(path.join(lab.directory, 'damaged'));
    await writeFile(path.join(lab.directory, 'damaged', 'node.db'), 'nonsense '.repeat(1000));
    checkRefused(await up('damaged', []), 1, /damaged/);
  });

  test('on a full disk', async () => {
    // A limit of the size of files stands for a disk that is full: SQLite and the log fail in the same calls.
    const state = path.join(lab.directory, 'full');
    const script = `ulimit -f 8; exec $GODWIT up --state ${state} --socket ${state}.sock --listen 127.0.0.1:0`;
    const { stdout, stderr, status } = await lab.shell(script, { node: null });
    assert.match(stderr, /^godwit: [^\n]+\n$/);
    assert.deepEqual([stdout, status], ['', 1]);
  });
});

test('a token from standard input lets a node join, and no list of processes shows it', async () => {
  const { address, token } = await lab.ask((node) => node.token());
  const [state, socket] = [path.join(lab.directory, 'silent'), path.join(lab.directory, 'silent.sock')];
  const args = ['up', '--json', '--detach', '--name', 'silent', '--state', state, '--socket', socket];
  const { stdout, stderr, status } = await lab.run([...args, '--join', address, '--token', '-'], {
    node: null,
    input: `${token}\n`,
  });
  assert.equal(status, 0, stderr);
  const { pid } = JSON.parse(stdout) as UpJson;
  if (process.platform === 'linux') {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    assert.match(commandLine, /silent/);
    assert(!commandLine.includes(token));
  }
  assert.equal((await lab.run(['down', '--socket', socket], { node: null })).status, 0);
});

describe('Ctrl-C', () => {
  test('while a node starts', async () => {
    const state = path.join(lab.directory, 'interrupted');
    const running = lab.spawn(['up', '--state', state, '--socket', `${state}.sock`, '--listen', '127.0.0.1:0'], {
      node: null,
    });
    await eventually('its state directory', async () =>
      (await readdir(lab.directory)).includes('interrupted') ? true : null,
    );
    running.signal('SIGINT');
    const { status } = await running.result();
    assert([0, 130].includes(status), String(status));
    // It starts with what is there.
    const again = lab.spawn(
      ['up', '--json', '--state', state, '--socket', `${state}.sock`, '--listen', '127.0.0.1:0'],
      { node: null },
    );
    await again.output(/\n/);
    again.signal('SIGINT');
    assert.equal((await again.result()).status, 0);
  });

  test('while a lab starts', async () => {
    const directory = path.join(lab.directory, 'tmp');
    await mkdir(directory);
    const running = lab.spawn(['lab', '-n', '2'], { node: null, env: { TMPDIR: directory } });
    await eventually('its directory', async () => ((await readdir(directory)).length > 0 ? true : null));
    running.signal('SIGINT');
    assert.equal((await running.result()).status, 130);
    assert.deepEqual(await readdir(directory), []);
  });

  test('while a program starts, and while it moves', async () => {
    const { path: waits } = await fixture('waits');
    for (let i = 0; i < 4; i++) {
      const running = lab.spawn(['run', '--hop', '1ms', waits, '1', `interrupted-${i}`]);
      if (i % 2 === 1) await running.output(/ready/);
      else await lab.process(`interrupted-${i}`);
      running.signal('SIGINT');
      assert.equal((await running.result()).status, 130);
    }
    await eventually('the end of all processes', async () => ((await lab.ps()).length === 0 ? true : null));
    for (const name of ['node1', 'node2']) {
      await eventually('that no guest is left', async () => {
        return (await lab.nodeList()).find((node) => node.name === name)?.processes === 0 ? true : null;
      });
    }
  });

  test('while a command waits for a move', async () => {
    const { path: waits } = await fixture('waits');
    const running = lab.spawn(['run', waits, '1', 'stays']);
    const { pid } = await lab.process('stays');
    const moving = lab.spawn(['migrate', String(pid), 'node2']);
    moving.signal('SIGINT');
    assert.equal((await moving.result()).status, 130);
    running.endInput('on\n');
    const { stdout, status } = await running.result();
    assert.match(stdout, /1: on /);
    assert.equal(status, 0);
  });
});

test('a full disk costs the cache, not the program', async () => {
  const file = await fileWith('uncached.wasm', hello);
  const env = { XDG_CACHE_HOME: path.join(lab.directory, 'no-cache') };
  const { stdout, stderr, status } = await lab.shell(`ulimit -f 0; $GODWIT run ${file}`, { node: null, env });
  assert.deepEqual([stdout, stderr, status], ['hello, world\n', '', 0]);
});

test('a rewritten module in the cache that is damaged is made anew', async () => {
  const file = await fileWith('cached.wasm', hello);
  const cache = path.join(lab.directory, 'cache');
  assert.equal((await lab.run(['run', file], { node: null })).status, 0);
  const modules = (await readdir(cache, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  assert(modules.length > 0);
  for (const { parentPath, name } of modules) await truncate(path.join(parentPath, name), 100);
  const { stdout, stderr, status } = await lab.run(['run', file], { node: null });
  assert.deepEqual([stdout, stderr, status], ['hello, world\n', '', 0]);
});

test('all is as it was', async () => {
  assert.equal(await lab.complaints(), '');
  for (const node of lab.nodes.slice(0, 2)) assert(isAlive(node.running.pid));
  const { status } = await within(lab.run(['run', await fileWith('last.wasm', hello)]), () => 'the last run');
  assert.equal(status, 0);
});
