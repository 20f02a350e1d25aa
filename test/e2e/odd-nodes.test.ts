/** Nodes that are not like the others: a clock that jumps, no memory left, another build, a founder that is gone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, describe, test } from 'node:test';
import type { JoinToken } from '../../src/node/daemon.ts';
import { fixture } from '../support/build.ts';
import { eventually, Lab, type Launcher } from '../support/lab.ts';
import { checkRefused } from '../support/refused.ts';
import { RUNS } from '../support/runs.ts';

const LONG = RUNS.find(({ fixture: name, length }) => name === 'awk' && length === 'long') ?? assert.fail();

/** A Node with one of the files of test/support loaded before anything else. */
const oddNode = (file: string): Launcher => {
  const url = new URL(file, pathToFileURL(path.join(import.meta.dirname, '../support/')));
  return { command: [process.execPath], env: { NODE_OPTIONS: `--import=${url.href}` } };
};

async function start(nodes: readonly (readonly [name: string, launcher?: Launcher])[]): Promise<Lab> {
  const lab = await Lab.start({ nodes: 0 });
  try {
    for (const [name, launcher] of nodes) await lab.up(name, [], launcher);
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

async function untilState(lab: Lab, name: string, state: string, seenBy = 'node1'): Promise<void> {
  await eventually(`${name} ${state}`, async () => {
    const found = (await lab.nodeList(seenBy)).find((node) => node.name === name);
    return found?.state === state ? true : null;
  });
}

describe('nodes whose clocks are set while they work', () => {
  let lab: Lab;
  before(async () => {
    const clock = oddNode('jumping-clock.ts');
    lab = await start([
      ['node1', clock],
      ['node2', clock],
    ]);
  });
  after(() => lab.stop());

  test('a program that moves between them goes on, and no node is given up', async () => {
    const { path: awk } = await fixture('awk');
    const running = lab.spawn(['run', '--hop', '20ms', awk, ...LONG.args, 'jumps']);
    const { pid } = await lab.process('jumps');
    for (const node of ['node2', 'node1', 'node2', 'node1']) {
      const { moves } = (await lab.ps()).find((process) => process.pid === pid) ?? { moves: null };
      if (moves === null) break;
      lab.node(node).kill('SIGUSR2');
      await eventually('two more moves, or the end', async () => {
        const now = (await lab.ps()).find((process) => process.pid === pid);
        return now === undefined || now.moves >= moves + 2 ? true : null;
      });
    }
    const { stdout, stderr, status } = await running.result();
    assert.deepEqual([stderr, status], ['', 0]);
    assert(createHash('sha256').update(stdout).digest('hex').startsWith(LONG.stdout));
    assert.deepEqual(
      (await lab.nodeList()).map(({ state }) => state),
      ['up', 'up'],
    );
    assert.equal(await lab.complaints(), '');
  });

  test('a program sees the clock of the node where it is, and sleeps as long as it wants to', async () => {
    const running = lab.spawn(['run', (await fixture('clock')).path, 'sees']);
    const { pid } = await lab.process('sees');
    let lines = 0;
    const time = async (): Promise<number> => {
      running.write('\n');
      lines++;
      const [text] = await running.output(new RegExp(`^(\\d+\\n){${lines}}`));
      return Number(text.trimEnd().split('\n').at(-1));
    };
    const setClock = async (name: string): Promise<void> => {
      const before = await time();
      lab.node(name).kill('SIGUSR2');
      await eventually('its clock to be set', async () => (Math.abs((await time()) - before) > 3600 ? true : null));
    };
    await setClock('node1');
    await lab.migrate(pid, 'node2');
    await setClock('node2');
    await setClock('node2');
    await lab.migrate(pid, 'home');
    running.endInput();
    const { stderr, status } = await running.result();
    assert.deepEqual([stderr, status], ['', 0]);
  });

  test('a token is over when the clock is set ahead of its time', async () => {
    const newToken = (): Promise<JoinToken> => lab.ask((node) => node.token());
    let made: JoinToken;
    let later: JoinToken;
    // Every second time the clock is set back, which lets it live on.
    do {
      made = await newToken();
      const { expires } = made;
      lab.node('node1').kill('SIGUSR2');
      later = await eventually('the clock to be set', async () => {
        const next = await newToken();
        return Math.abs(next.expires - expires) > 3_600_000 ? next : null;
      });
    } while (later.expires < made.expires);
    const [state, socket] = [path.join(lab.directory, 'late'), path.join(lab.directory, 'late.sock')];
    const args = ['up', '--state', state, '--socket', socket, '--join', made.address, '--token', made.token];
    checkRefused(await lab.run(args, { node: null }), 1, /expired: make a new one with "godwit token"/);
  });
});

describe('nodes that refuse', () => {
  let lab: Lab;
  let waits = '';
  before(async () => {
    lab = await start([['node1'], ['node2', oddNode('no-memory.ts')], ['node3']]);
    waits = (await fixture('waits')).path;
  });
  after(() => lab.stop());

  test('a move to a node without memory is refused, the process runs on where it was', async () => {
    const running = lab.spawn(['run', waits, '1', 'refused']);
    const { pid } = await lab.process('refused');
    checkRefused(
      await lab.run(['migrate', String(pid), 'node2']),
      1,
      /node node2 refuses the process: it needs \d+ bytes of memory, 0 are free there; choose another/,
    );
    const started = await lab.run(['run', '--node', 'node2', waits, '1', 'never']);
    assert.match(started.stderr, /^godwit: [^\n]*node2 [^\n]* 0 are free there; choose another[^\n]*\n$/);
    assert.deepEqual([started.stdout, started.status], ['', 125]);
    running.endInput('on\n');
    const { stdout, status } = await running.result();
    assert.match(stdout, /1: on /);
    assert.equal(status, 0);
  });

  test('another build is refused before it joins', async () => {
    for (const [query, words] of [
      ['?protocol', /speaks protocol \d+ to \d+, yours .* 4711 to 4711: install the same Godwit on both/],
      ['?engine', /lacks engine-\d+, .* lacks engine-4711: install the same Godwit on both nodes/],
    ] as const) {
      const { token, address } = await lab.ask((node) => node.token());
      const [state, socket] = [path.join(lab.directory, 'other'), path.join(lab.directory, 'other.sock')];
      const args = ['up', '--state', state, '--socket', socket, '--join', address, '--token', token];
      checkRefused(await lab.run(args, { node: null, ...oddNode(`other-build.ts${query}`) }), 1, words);
    }
    assert.deepEqual(
      (await lab.nodeList()).map(({ name }) => name),
      ['node1', 'node2', 'node3'],
    );
  });

  test('a member that comes back as another build takes nothing, and the others work on', async () => {
    lab.node('node3').kill('SIGTERM');
    await lab.node('node3').running.result();
    await untilState(lab, 'node3', 'down');
    await lab.up('node3', [], oddNode('other-build.ts?engine'));
    const running = lab.spawn(['run', waits, '1', 'mixed']);
    const { pid } = await lab.process('mixed');
    const words = /node node3 cannot work with this one: .*lacks engine-4711: install the same Godwit on both nodes/;
    // Whichever node is asked: the home decides, and knows why.
    for (const node of ['node1', 'node2']) {
      checkRefused(await lab.run(['migrate', String(pid), 'node3'], { node }), 1, words);
    }
    running.endInput('on\n');
    assert.equal((await running.result()).status, 0);
    const log = await lab.run(['logs']);
    assert.match(log.stdout, /no link is possible/);
  });
});

test('a node that has been told to stop is shown as down as soon as it has', async () => {
  const lab = await start([['node1'], ['node2'], ['node3']]);
  try {
    const states = async (): Promise<string[]> => (await lab.nodeList('node3')).map(({ state }) => state);
    const { stdout: log } = await lab.run(['logs']);
    const { address } = lab.node('node3').ready;
    assert.match(log, new RegExp(`a node has its address node=3 name=node3 address=${address}\n`));
    assert(!log.includes('address=127.0.0.1:0'), log);
    // Those that it has connected to, and those that have connected to it, by whichever way it is told.
    for (const name of ['node1', 'node2']) {
      const { status } = await lab.run(['down'], { node: name });
      assert.equal(status, 0);
      assert.deepEqual(await states(), name === 'node1' ? ['down', 'up', 'up'] : ['down', 'down', 'up']);
    }
  } finally {
    await lab.stop();
  }
});

test('a question to a node that is gone is answered at once', async () => {
  const lab = await start([['node1'], ['node2']]);
  try {
    lab.node('node1').kill('SIGTERM');
    await lab.node('node1').running.result();
    await untilState(lab, 'node1', 'down', 'node2');
    const { address } = lab.node('node1').ready;
    const silent = `node node1 does not answer: it is down; "godwit up" on its machine \\(${address}\\) starts it again`;
    for (const [args, words] of [
      [['token'], `only the founding node gives out join tokens, and ${silent}`],
      [['kill', '65537'], silent],
      [['wait', '65537'], silent],
      [['migrate', '65537', 'node2'], silent],
    ] as const) {
      checkRefused(await lab.run(args, { node: 'node2' }), args[0] === 'wait' ? 125 : 1, new RegExp(words));
    }
  } finally {
    await lab.stop();
  }
});

test('a member that is started again without its founder works, ends when it is told to, and keeps its state', async () => {
  const lab = await start([]);
  const { path: hello } = await fixture('hello');
  const end = async (name: string): Promise<void> => {
    lab.node(name).kill('SIGTERM');
    assert.equal((await lab.node(name).running.result()).status, 0);
  };
  try {
    // Found again where it was: on an address from which no connection of another test takes a port meanwhile.
    const host = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1';
    const { address } = (await lab.up('node1', ['--listen', `${host}:0`])).ready;
    const { id } = await lab.up('node2');
    await end('node1');
    await end('node2');
    for (const way of ['SIGINT', 'SIGTERM', 'down'] as const) {
      const node = await lab.up('node2');
      assert.deepEqual([node.id, node.ready.join], [id, null]);
      assert.deepEqual(
        (await lab.nodeList('node2')).map(({ name, state }) => [name, state === 'up']),
        [
          ['node1', false],
          ['node2', true],
        ],
      );
      assert.equal((await lab.run(['run', hello], { node: 'node2' })).stdout, 'hello, world\n');
      if (way !== 'down') node.kill(way);
      else assert.equal((await lab.run(['down'], { node: 'node2' })).status, 0);
      assert.equal((await node.running.result()).status, 0);
    }
    // While it is still being made ready: as soon as its socket is there, it asks its founder for a token.
    const [state, socket] = [path.join(lab.directory, 'node2'), lab.socketOf('node2')];
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const starting = lab.spawn(['up', '--state', state, '--socket', socket], { node: null });
      await eventually('its socket', async () => (existsSync(socket) ? true : null));
      starting.signal(signal);
      const { stderr, status } = await starting.result();
      assert.deepEqual([stderr, status], ['', 0]);
    }
    await lab.up('node1', ['--listen', address]);
    const again = await lab.up('node2');
    assert.equal(again.id, id);
    await untilState(lab, 'node2', 'up');
    const { stdout } = await lab.run(['run', '--node', 'node2', hello]);
    assert.equal(stdout, 'hello, world\n');
    assert.equal(await lab.complaints(), '');
  } finally {
    await lab.stop();
  }
});
