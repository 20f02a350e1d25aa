import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type FakeDaemon, exited, signalled } from '../../admin/testing/fake-daemon.ts';
import { serveFake, temporaryDirectory } from '../../admin/testing/served.ts';
import type { NodeInfo, ProcessInfo } from '../../node/daemon.ts';
import { type Outcome, type Started, startGodwit } from '../testing/commands.ts';
import { upNode } from '../testing/run.ts';

const PROCESS: ProcessInfo = {
  pid: 65_537,
  ppid: 0,
  home: 1,
  node: 2,
  state: 'running',
  threads: 1,
  memory: 3_145_728,
  cpu_ms: 1234.5,
  moves: 7,
  stay: ['user_lock'],
  command: ['a.wasm', 'x y', '\u001b[2J'],
};

const NODE: NodeInfo = {
  id: 2,
  name: 'node2',
  address: '[::1]:7370',
  arch: 'arm64',
  os: 'linux',
  state: 'unreachable',
  cpus: 4,
  load: 1.5,
  memory_total: 8 * 2 ** 30,
  memory_free: 2 ** 30,
  processes: 3,
};

type Godwit = (...words: string[]) => Promise<Outcome>;

interface FakeCluster {
  readonly daemon: FakeDaemon;
  readonly start: (...words: string[]) => Started;
  readonly godwit: Godwit;
}

/** A fake node with one process on node2, and `godwit` on it by way of GODWIT_SOCKET. */
async function fakeCluster(t: TestContext): Promise<FakeCluster> {
  const { daemon, socketPath } = await serveFake(t);
  daemon.processes = [PROCESS];
  daemon.nodeList = [NODE];
  const env = { ...process.env, GODWIT_SOCKET: socketPath };
  const start = (...words: string[]) => startGodwit(t, words, { env });
  return { daemon, start, godwit: (...words) => start(...words).outcome };
}

const good = (outcome: Outcome): string => {
  assert.deepEqual({ status: outcome.status, stderr: outcome.stderr }, { status: 0, stderr: '' });
  return outcome.stdout;
};

test('ps and nodes for programs: exactly the fields of the contract', async (t) => {
  const { godwit } = await fakeCluster(t);
  const [ps, nodes] = await Promise.all([godwit('ps', '--json'), godwit('nodes', '--json')]);
  assert.deepEqual([ps.status, JSON.parse(ps.stdout)], [0, [PROCESS]]);
  assert.deepEqual(JSON.parse(good(nodes)), [NODE]);
  assert.deepEqual(
    Object.keys((JSON.parse(ps.stdout) as object[])[0]!).join(' '),
    'pid ppid home node state threads memory cpu_ms moves stay command',
  );
  assert.deepEqual(
    Object.keys((JSON.parse(nodes.stdout) as object[])[0]!).join(' '),
    'id name address arch os state cpus load memory_total memory_free processes',
  );
});

test('ps and nodes for people', async (t) => {
  const { godwit } = await fakeCluster(t);
  const [ps, nodes] = await Promise.all([godwit('ps'), godwit('nodes')]);
  assert.deepEqual(ps.stdout.split('\n'), [
    '  PID  PPID  HOME  NODE   STATE    THR   MEM   CPU  MOVES  STAY       COMMAND',
    '65537     0  1     node2  running    1  3.0M  1.2s      7  user_lock  a.wasm x y ?[2J',
    '',
  ]);
  assert.deepEqual(good(nodes).split('\n'), [
    'ID  NAME   STATE        ADDRESS     ARCH   OS     CPUS  LOAD  FREE  TOTAL  PROCS',
    ' 2  node2  unreachable  [::1]:7370  arm64  linux     4  1.50  1.0G   8.0G      3',
    '',
  ]);
});

test('ps names the nodes whose processes it cannot show, and only these', async (t) => {
  const { daemon, godwit } = await fakeCluster(t);
  daemon.nodeList = [upNode(1), NODE, { ...NODE, id: 3, name: 'node3', state: 'down' }];
  const told = 'godwit: node node2 does not answer at present; processes with their home there are not shown\n';
  for (const words of [['ps'], ['ps', '--json']]) {
    const { status, stderr } = await godwit(...words);
    assert.deepEqual([status, stderr], [0, told]);
  }
  daemon.nodeList = [upNode(1)];
  assert.match(good(await godwit('ps')), /^ {2}PID/);
});

test('who waits for the answer of a node that is silent is told so, once', async (t) => {
  const { daemon, start } = await fakeCluster(t);
  daemon.nodeList = [{ ...NODE, id: 1, name: 'node1' }, upNode(2)];
  for (const words of [
    ['wait', '65537'],
    ['kill', '65537'],
    ['migrate', '65537', 'node2'],
  ]) {
    const answer = Promise.withResolvers<void>();
    daemon.answers = answer.promise;
    daemon.ends.set(
      65_537,
      answer.promise.then(() => exited(0)),
    );
    const { child, outcome } = start(...words);
    await once(child.stderr!, 'data');
    answer.resolve();
    const { status, stderr } = await outcome;
    const told = 'godwit: node node1, the home of 65537, does not answer at present; waiting for it\n';
    assert.deepEqual([status, stderr], [0, told], words.join(' '));
  }
});

test('migrate tells what happened, or why not', async (t) => {
  const { godwit, daemon } = await fakeCluster(t);
  const [moved, json, pinned, unknown, words] = await Promise.all([
    godwit('migrate', '65537', 'home'),
    godwit('migrate', '--json', '65537', 'node2'),
    godwit('migrate', '65537', 'pinned'),
    godwit('migrate', '--json', '5', 'node2'),
    godwit('migrate', 'five', 'node2'),
  ]);
  assert.equal(good(moved), '65537 runs on home: frozen for 1.5ms, moved in 4.0ms, image 64K\n');
  assert.deepEqual(JSON.parse(good(json)), {
    pid: 65_537,
    node: 2,
    name: 'node2',
    moved: true,
    freeze_ms: 1.5,
    total_ms: 4,
    image_bytes: 65_536,
  });
  assert.deepEqual([pinned.status, pinned.stderr], [1, 'godwit: 65537 stays: user_lock\n']);
  assert.equal(unknown.status, 1);
  assert.deepEqual(JSON.parse(unknown.stderr), { error: { code: 'unknown_process', message: 'no process 5' } });
  assert.deepEqual([words.status, words.stderr], [2, 'godwit: "five" is not a pid; "godwit ps" shows them\n']);
  assert.deepEqual(daemon.done.toSorted(), ['migrate 65537 home', 'migrate 65537 node2']);
});

test('a signal to several goes to all that there are', async (t) => {
  const { daemon, godwit } = await fakeCluster(t);
  const { status, stderr } = await godwit('kill', '1', '65537', '2');
  assert.deepEqual([status, stderr], [1, 'godwit: no process 1\ngodwit: no process 2\n']);
  assert.deepEqual(daemon.done, ['kill 65537 15']);
});

test('kill and wait', async (t) => {
  const { godwit, daemon } = await fakeCluster(t);
  daemon.ends.set(65_537, Promise.resolve(signalled(9)));
  daemon.ends.set(65_538, Promise.resolve(exited(3, 'lost its memory')));
  const [kill, list, bare, wait, told, gone] = await Promise.all([
    godwit('kill', '-INT', '65537'),
    godwit('kill', '-l'),
    godwit('kill'),
    godwit('wait', '65537'),
    godwit('wait', '65538'),
    godwit('wait', '70000'),
  ]);
  assert.equal(good(kill), '');
  assert.deepEqual(daemon.done, ['kill 65537 2']);
  assert.match(good(list), /^ 1 HUP\n 2 INT\n[^]*\n31 SYS\n$/);
  assert.equal(bare.status, 2);
  assert.deepEqual([wait.status, wait.stderr], [137, '']);
  assert.deepEqual([told.status, told.stderr], [3, 'godwit: 65538: lost its memory\n']);
  assert.deepEqual([gone.status, gone.stderr], [125, 'godwit: no process 70000\n']);
});

const line = (level: 'stdout' | 'info', text: string) => ({ time: 1_800_000_000_000, level, text });

test('logs, page by page', async (t) => {
  const { godwit, daemon } = await fakeCluster(t);
  daemon.log.push(
    { missing: 0, lines: [line('stdout', 'one\ttab'), line('stdout', '\u001b[2Jtwo')], next: 1, complete: false },
    { missing: 0, lines: [line('info', 'three')], next: 2, complete: true },
  );
  const [output, node, json] = await Promise.all([godwit('logs', '65537'), godwit('logs'), godwit('logs', '--json')]);
  assert.equal(good(output), 'one\ttab\n?[2Jtwo\n2027-01-15T08:00:00.000Z info   three\n');
  assert.match(good(node), /^2027-01-15T08:00:00.000Z stdout one\ttab\n/);
  assert.deepEqual(JSON.parse(good(json).split('\n')[2]!), line('info', 'three'));
});

test('logs: how many lines are not kept is told, and where', async (t) => {
  const { godwit, daemon } = await fakeCluster(t);
  daemon.log.push(
    { missing: 15_000, lines: [line('stdout', 'one'), line('stdout', 'two')], next: 1, complete: false },
    { missing: 0, lines: [line('stdout', 'three')], next: 2, complete: false },
    { missing: 7, lines: [line('stdout', 'four')], next: 3, complete: true },
  );
  const { stdout, stderr, status } = await godwit('logs', '--follow', '65537');
  assert.deepEqual([stdout, status], ['one\ntwo\nthree\nfour\n', 0]);
  assert.equal(stderr, 'godwit: 15000 lines before these are not kept\ngodwit: 7 lines before these are not kept\n');
  const json = good(await godwit('logs', '--json', '65537'));
  assert.deepEqual(
    json
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as object),
    [
      { ...line('stdout', 'one'), missing: 15_000 },
      line('stdout', 'two'),
      line('stdout', 'three'),
      { ...line('stdout', 'four'), missing: 7 },
    ],
  );
});

test('logs end where the log ended when they were asked for, however steadily more comes', async (t) => {
  const { godwit, daemon } = await fakeCluster(t);
  // Two lines are there; each answer finds two more behind the one that it gives.
  daemon.logs = ({ after }) => {
    assert.ok(after < 2, 'asked for what came later');
    const lines = [line('stdout', `line ${after + 1}`)];
    return Promise.resolve({ missing: 0, lines, next: after + 1, last: after + 2, complete: false });
  };
  assert.equal(good(await godwit('logs', '65537')), 'line 1\nline 2\n');
});

test('token and down', async (t) => {
  const { godwit } = await fakeCluster(t);
  assert.match(
    good(await godwit('token')),
    /^godwit up --join 127.0.0.1:7370 --token secret\ntoken secret, good until 2027-[^\n]*\nfor another node on this machine, [^\n]*--listen[^\n]*\n$/,
  );
  const { line } = JSON.parse(good(await godwit('token', '--json'))) as { line: string };
  assert.equal(line, 'godwit up --join 127.0.0.1:7370 --token secret');
  assert.equal(good(await godwit('down')), '');
  const { stderr } = await godwit('ps');
  assert.match(stderr, /no node answers/);
});

test('without a node every other command says how to start one', async (t) => {
  const env = { ...process.env, GODWIT_SOCKET: path.join(temporaryDirectory(t), 'none.sock') };
  for (const words of [['ps'], ['down'], ['kill', '65537']]) {
    const { status, stderr } = await startGodwit(t, words, { env }).outcome;
    assert.equal(status, 125);
    assert.match(stderr, /^godwit: no node answers on [^\n]*none.sock; start one with "godwit up"[^\n]*\n$/);
  }
});

test('help, version and mistakes', async (t) => {
  const godwit = (...words: string[]): Promise<Outcome> => startGodwit(t, words).outcome;
  const [help, version, nothing, typo, option, unreadable] = await Promise.all([
    godwit('--help'),
    godwit('--version'),
    godwit(),
    godwit('migrat'),
    godwit('--json', 'ps'),
    godwit('inspect', '/no/such/file.wasm'),
  ]);
  assert.match(good(help), /usage: godwit COMMAND/);
  assert.match(good(version), /^godwit \d+\.\d+\.\d+\n$/);
  assert.deepEqual([nothing.status, nothing.stdout], [2, '']);
  assert.deepEqual([typo.status, typo.stderr], [2, 'godwit: unknown command "migrat"; did you mean "migrate"?\n']);
  assert.deepEqual([option.status, option.stdout], [2, '']);
  assert.deepEqual(
    [unreadable.status, unreadable.stderr],
    [127, 'godwit: cannot read /no/such/file.wasm: there is no directory /no/such; check the path\n'],
  );
});
