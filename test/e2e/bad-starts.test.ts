/** Nodes that cannot start: what their user is told, and that nothing is spoiled by it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { UpJson } from '../../src/cli/up-json.ts';
import { fixture } from '../support/build.ts';
import { Lab, type Launcher, type Result } from '../support/lab.ts';
import { checkRefused } from '../support/refused.ts';

let lab: Lab;
before(async () => {
  lab = await Lab.start({ nodes: 2 });
});
after(() => lab.stop());

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
      checkRefused(await up('refused', ['--join', address, '--token', wrong]), 1, /token.*: .*"godwit token"/);
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
      checkRefused(
        await up('alone', ['--join', address, '--token', token]),
        1,
        /listens there is no Godwit node; "godwit token"/,
      );
    } finally {
      server.close();
    }
  });

  test('with a token from standard input that is none', async () => {
    const { address } = await joining();
    // What `up` of this file gives to standard input is empty.
    checkRefused(
      await up('silent', ['--join', address, '--token', '-']),
      2,
      /standard input has no token; give it as one line/,
    );
  });

  test('on a port that is in use, which leaves no cluster behind and the token unused', async () => {
    const { address, token } = await joining();
    const options = ['--join', address, '--token', token];
    for (const how of [[], options]) {
      checkRefused(await up('port', how, address), 1, /in use: choose another address with --listen/);
    }
    const port = await lab.up('port', options);
    assert.equal((await lab.nodeList()).find(({ name }) => name === 'port')?.state, 'up');
    port.kill('SIGTERM');
    await port.running.result();
  });

  test('as a new one, where it belongs to a cluster already', async () => {
    const { address, token } = await joining();
    const options = ['up', '--socket', path.join(lab.directory, 'again.sock'), '--join', address, '--token', token];
    const state = path.join(lab.directory, 'port');
    const refused = await lab.run([...options, '--state', state], { node: null });
    checkRefused(refused, 1, /port: it belongs to a node of a cluster already; .*without --join/);
  });

  test('on an address that is none, which is forgotten', async () => {
    checkRefused(await up('nowhere', [], '127.0.0.1:99999'), 2, /127\.0\.0\.1:99999.* is not HOST:PORT/);
    const { address } = await joining();
    checkRefused(await up('nowhere', ['--join', address, '--token', 'garbage']), 1, /token.*"godwit token"/);
  });

  test('on a state directory that another node uses', async () => {
    const args = [
      'up',
      '--state',
      path.join(lab.directory, 'node1'),
      '--socket',
      path.join(lab.directory, 'second.sock'),
    ];
    checkRefused(await lab.run(args, { node: null }), 1, /node1.*"godwit down", or choose another --state/);
    assert.equal((await lab.nodeList()).find(({ name }) => name === 'node1')?.state, 'up');
  });

  test('on a control socket that another node uses', async () => {
    const args = ['up', '--state', path.join(lab.directory, 'other'), '--socket', lab.socketOf('node1')];
    checkRefused(
      await lab.run(args, { node: null }),
      1,
      /already serves .*; end it with "godwit down" or choose another --socket/,
    );
  });

  test('beside others that are started on the same control socket', async () => {
    const socket = path.join(lab.directory, 'wanted.sock');
    const start = (name: string): Promise<Result> =>
      lab.run(['up', '--detach', '--state', path.join(lab.directory, name), '--socket', socket], { node: null });
    const results = await Promise.all(['wanted1', 'wanted2', 'wanted3'].map(start));
    const refused = results.filter(({ status }) => status !== 0);
    assert.equal(refused.length, 2);
    for (const result of refused) checkRefused(result, 1, /already serves .*wanted\.sock; end it with "godwit down"/);
    // Those that gave up have not taken the file of the one that runs.
    await access(`${socket}.err`);
    assert.equal((await lab.run(['down', '--socket', socket], { node: null })).status, 0);
    // Nothing was wrong, so nothing is left to look at.
    const left = (await readdir(lab.directory)).filter((name) => name.startsWith('wanted.sock'));
    assert.deepEqual(left, []);
  });

  test('with a state directory that is a file, or damaged', async () => {
    const file = path.join(lab.directory, 'state-file');
    await writeFile(file, 'something else');
    for (const state of [file, path.join(file, 'below')]) {
      const refused = await lab.run(['up', '--state', state, '--socket', `${file}.sock`], { node: null });
      checkRefused(refused, 1, /state-file: it is there, and is no directory; choose another with --state/);
      // Each path once.
      assert.equal(refused.stderr.split(state).length, 2, refused.stderr);
    }
    await mkdir(path.join(lab.directory, 'damaged'), { mode: 0o700 });
    await writeFile(path.join(lab.directory, 'damaged', 'node.db'), 'nonsense '.repeat(1000));
    checkRefused(await up('damaged', []), 1, /damaged.*: restore it, or remove it and join again/);
  });

  test('with a state directory in which others can put files', { skip: process.platform === 'win32' }, async () => {
    const state = path.join(lab.directory, 'open');
    await mkdir(state);
    await chmod(state, 0o775);
    checkRefused(await up('open', []), 1, /open can be written by others; "chmod go-w .*open" ends that, or .*--state/);
    assert.deepEqual(await readdir(state), []);
  });

  test(
    'in a directory that cannot be written',
    { skip: process.platform !== 'linux' && 'there is no /proc' },
    async () => {
      const socket = path.join(lab.directory, 'unwritable.sock');
      for (const [args, help] of [
        [['--state', '/proc/godwit', '--socket', socket], 'choose another with --state'],
        [
          ['--state', path.join(lab.directory, 'unused'), '--socket', '/proc/godwit/x.sock'],
          'choose another with --socket',
        ],
      ] as const) {
        const refused = await lab.run(['up', ...args], { node: null });
        checkRefused(
          refused,
          1,
          new RegExp(`cannot (make|use) .*/proc/godwit.*: the system lets none be made there; ${help}`),
        );
      }
      await assert.rejects(access(path.join(lab.directory, 'unused')));
    },
  );

  test('under another name than it has', async () => {
    const state = path.join(lab.directory, 'renamed');
    const args = (name: string): string[] => ['up', '--name', name, '--state', state, '--socket', `${state}.sock`];
    const { status, stderr } = await lab.run([...args('first'), '--detach'], { node: null });
    assert.equal(status, 0, stderr);
    assert.equal((await lab.run(['down', '--socket', `${state}.sock`], { node: null })).status, 0);
    const words = /is called first, for good; start it without --name second, or choose another --state/;
    checkRefused(await lab.run(args('second'), { node: null }), 2, words);
  });

  test('on a full disk', async () => {
    // A limit of the size of files stands for a disk that is full: SQLite and the log fail in the same calls.
    const state = path.join(lab.directory, 'full');
    const script = `ulimit -f 8; exec $GODWIT up --state ${state} --socket ${state}.sock --listen 127.0.0.1:0`;
    checkRefused(
      await lab.shell(script, { node: null }),
      1,
      /see whether the disk is full or damaged, or choose another/,
    );
  });
});

test('a disk that gets full costs a node its log, not its programs', async () => {
  const limited: Launcher = { command: ['/bin/sh', '-c', 'ulimit -f 512; exec "$0" "$@"', process.execPath] };
  const node = await lab.up('filling', [], limited);
  const log = path.join(lab.directory, 'filling', 'node.log');
  await writeFile(log, ' '.repeat(2 ** 20), { flag: 'a' });
  const { path: hello } = await fixture('hello');
  const { stdout, stderr, status } = await lab.run(['run', hello], { node: 'filling' });
  assert.deepEqual([stdout, stderr, status], ['hello, world\n', '', 0]);
  const lines = await lab.run(['logs'], { node: 'filling' });
  assert.match(lines.stdout, /process ended/);
  assert.equal((await lab.run(['down'], { node: 'filling' })).status, 0);
  assert.equal((await node.running.result()).status, 0);
  const said = await readFile(node.logFile, 'utf8');
  assert.match(
    said,
    /^godwit: cannot write .*node\.log: .*; the node must be able to write there, .*; "godwit logs" shows the last lines .*\n$/,
  );
});

describe('a control socket that cannot be one', () => {
  const refused = async (
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    status: number,
    words: RegExp,
  ): Promise<void> => checkRefused(await lab.run(args, { node: null, env }), status, words);

  test('its path is too long', async () => {
    const long = path.join(lab.directory, 'x'.repeat(120));
    const words = /may have 10\d bytes, and this has \d+: .*x; choose another with --socket or GODWIT_SOCKET/;
    await refused(['ps'], { GODWIT_SOCKET: long }, 2, words);
    await refused(['up', '--state', path.join(lab.directory, 'long'), '--socket', long], {}, 2, words);
    await refused(['run', '--socket', long, (await fixture('hello')).path], {}, 125, words);
    await assert.rejects(access(path.join(lab.directory, 'long')));
    await mkdir(long);
    await refused(
      ['lab', '-n', '1', '--', 'true'],
      { TMPDIR: long },
      125,
      /too long for the sockets of a lab; set TMPDIR/,
    );
  });

  test('something else is there, which stays', async () => {
    const file = path.join(lab.directory, 'letter');
    await writeFile(file, 'dear');
    const words = /letter is no control socket but another file; choose another with --socket or GODWIT_SOCKET/;
    await refused(['ps'], { GODWIT_SOCKET: file }, 1, words);
    await refused(['up', '--state', path.join(lab.directory, 'letters'), '--socket', file], {}, 1, words);
    await refused(
      ['ps'],
      { GODWIT_SOCKET: path.join(file, 'x') },
      1,
      /x: what stands above it is no directory; choose/,
    );
    await refused(['ps', '--socket', lab.directory], {}, 1, /is no control socket but a directory; choose another/);
    assert.equal(await readFile(file, 'utf8'), 'dear');
    await assert.rejects(access(path.join(lab.directory, 'letters')));
  });

  test('a node has left it behind: the next one takes it', async () => {
    const node = await lab.up('stale');
    node.kill('SIGKILL');
    await node.running.result();
    const socket = lab.socketOf('stale');
    await refused(
      ['ps'],
      { GODWIT_SOCKET: socket },
      125,
      /no node answers on .*stale\.sock; start one with "godwit up"/,
    );
    (await lab.up('stale')).kill('SIGTERM');
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
