/**
 * Nodes that are killed or stopped and connections that break, at moments found by chance (the seed is printed and can
 * be given as GODWIT_SEED) and at chosen ones. Each process then runs exactly once, with its output complete, or ends
 * with a report that names the node that took it along.
 *
 * What takes longer than half a minute, a node that is given up as down while it is only stopped, is left to the
 * simulated cluster (src/migration), which needs no real time for it.
 */
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { eventually, Lab, type Result, type Running } from '../support/lab.ts';
import { RUNS } from '../support/runs.ts';

const CUT = path.join(import.meta.dirname, '../support/cut.ts');
const seed = Number(process.env['GODWIT_SEED'] ?? randomInt(2 ** 31));

/** mulberry32: small, and good enough to pick a moment. */
function generator(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
const random = generator(seed);

let lab: Lab;
let awk = '';
let waits = '';
before(async () => {
  console.log(`# GODWIT_SEED=${seed}`);
  lab = await Lab.start({ env: { NODE_OPTIONS: `--import=${CUT}` } });
  awk = (await fixture('awk')).path;
  waits = (await fixture('waits')).path;
});
after(() => lab.stop());

let word = '';
let serial = 0;
beforeEach(() => {
  word = `run-${++serial}`;
});

const long = RUNS.find(({ fixture: name, length }) => name === 'awk' && length === 'long') ?? assert.fail();
const isRight = ({ stdout, stderr, status }: Result): boolean =>
  createHash('sha256').update(stdout).digest('hex').startsWith(long.stdout) && stderr === '' && status === 0;

function checkRight(result: Result): void {
  assert(isRight(result), JSON.stringify(result));
}

function checkLost({ stderr, status }: Result, node: string): void {
  const { id } = lab.node(node);
  assert.match(stderr, new RegExp(`^godwit: .*\\bnode ${id}\\b.*\\n$|^godwit: .*\\b${node}\\b.*\\n$`));
  assert.equal(status, 137);
}

/** Resolves when the process has moved so many times more: a moment that comes in the middle of things. */
async function afterMoves(target: string, more: number): Promise<void> {
  const { moves: before } = await lab.process(target);
  await eventually(`${more} moves of ${target}`, async () => {
    const now = (await lab.ps()).find(({ command }) => command.includes(target));
    return now === undefined || now.moves >= before + more ? true : null;
  });
}

async function restart(name: string): Promise<void> {
  lab.node(name).kill('SIGKILL');
  await lab.node(name).running.result();
  await lab.up(name);
  await untilUp(name);
}

async function untilUp(name: string): Promise<void> {
  for (const other of lab.nodes) {
    await eventually(`${name} to be up for ${other.name}`, async () => {
      return (await lab.nodeList(other.name)).find((node) => node.name === name)?.state === 'up' ? true : null;
    });
  }
}

/** No guest is left anywhere. */
async function untilIdle(): Promise<void> {
  for (const { name } of lab.nodes) {
    await eventually(`${name} to have no guest`, async () => {
      const node = (await lab.nodeList(name)).find((one) => one.name === name);
      return node?.processes === 0 ? true : null;
    });
  }
  assert.deepEqual(await lab.ps(), []);
}

async function waitingAt(node: string, name = word): Promise<{ readonly running: Running; readonly pid: number }> {
  const running = lab.spawn(['run', waits, '1', name]);
  await running.output(/ready/);
  const { pid } = await lab.process(name);
  await lab.migrate(pid, node);
  return { running, pid };
}

async function endsWell(running: Running): Promise<void> {
  running.endInput('one\n');
  const { stdout, stderr, status } = await running.result();
  assert.match(stdout, /^ready\n1: one \(\w+\)\n1 lines\n/);
  assert.deepEqual([stderr, status], ['', 0]);
}

test('a node that is killed takes along what ran there, and nothing else', async () => {
  const lost = await waitingAt('node2', `${word}-2`);
  const kept = [await waitingAt('node3', `${word}-3`), await waitingAt('home', `${word}-1`)];
  await restart('node2');
  checkLost(await lost.running.result(), 'node2');
  for (const { running } of kept) await endsWell(running);
  await untilIdle();
});

describe('killed at a random moment while processes move', () => {
  for (const victim of ['node2', 'node3']) {
    test(victim, async () => {
      const names = ['a', 'b'].map((letter) => `${word}-${letter}`);
      const all = names.map((name, i) => lab.spawn(['run', '--hop', `${20 + 10 * i}ms`, awk, ...long.args, name]));
      await afterMoves(names[0] ?? '', 1 + random(8));
      await restart(victim);
      for (const running of all) {
        const result = await running.result();
        if (!isRight(result)) checkLost(result, victim);
      }
      await untilIdle();
    });
  }
});

test('a home that is killed ends its commands, and its guests elsewhere', async () => {
  const { running } = await waitingAt('node2');
  const hopping = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, `${word}-b`]);
  await afterMoves(`${word}-b`, 1 + random(4));
  await restart('node1');
  for (const command of [running, hopping]) {
    const { stderr, status } = await command.result();
    assert.match(stderr, /^godwit: [^\n]*\n$/);
    assert.equal(status, 125);
  }
  await untilIdle();
  await endsWell((await waitingAt('node2', `${word}-c`)).running);
});

describe('connections that break while processes move', () => {
  test('are a pause', async () => {
    const running = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, word]);
    for (let i = 0; i < 4; i++) {
      await afterMoves(word, 1 + random(3));
      lab.node(`node${1 + random(3)}`).kill('SIGUSR2');
    }
    checkRight(await running.result());
    await untilIdle();
  });

  test('lose and repeat no input', async () => {
    const running = lab.spawn(['run', '--hop', '5ms', waits, '0', word]);
    await running.output(/ready/);
    const lines = Array.from({ length: 40 }, (_, i) => `line ${i + 1}`);
    for (const [i, line] of lines.entries()) {
      running.write(`${line}\n`);
      if (i % 8 === 3) lab.node(`node${1 + random(3)}`).kill('SIGUSR2');
      await running.output(new RegExp(`^${i + 1}: `, 'm'));
    }
    running.endInput();
    const { stdout, stderr, status } = await running.result();
    assert.deepEqual(
      [...stdout.matchAll(/^\d+: (line \d+) /gm)].map(([, line]) => line),
      lines,
    );
    assert.deepEqual([stderr, status], ['', 0]);
    await untilIdle();
  });
});

describe('a node that is stopped', () => {
  test('for a moment: its processes go on', async () => {
    const { running } = await waitingAt('node2');
    lab.node('node2').kill('SIGSTOP');
    running.write('typed meanwhile\n');
    assert.equal((await lab.run(['run', awk, '3', '5'])).status, 0);
    lab.node('node2').kill('SIGCONT');
    running.endInput();
    const { stdout, status } = await running.result();
    assert.match(stdout, /1: typed meanwhile /);
    assert.equal(status, 0);
  });

  test('until it is unreachable: its processes go on, and cannot move meanwhile', async () => {
    const { running, pid } = await waitingAt('node2');
    lab.node('node2').kill('SIGSTOP');
    await eventually('node2 to be unreachable', async () => {
      return (await lab.nodeList()).find(({ name }) => name === 'node2')?.state === 'unreachable' ? true : null;
    });
    const other = await waitingAt('node3', `${word}-3`);
    await assert.rejects(lab.migrate(other.pid, 'node2'), /node2|unreachable|does not answer/);
    await endsWell(other.running);
    lab.node('node2').kill('SIGCONT');
    await untilUp('node2');
    await lab.migrate(pid, 'home');
    await endsWell(running);
    await untilIdle();
  });

  test('in the middle of moves', async () => {
    const running = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, word]);
    await afterMoves(word, 1 + random(4));
    const victim = lab.node(`node${2 + random(2)}`);
    victim.kill('SIGSTOP');
    assert.equal((await lab.run(['run', awk, '3', '5'])).status, 0);
    victim.kill('SIGCONT');
    checkRight(await running.result());
    await untilIdle();
  });
});

/** Bytes that a process has read and written, of files and sockets alike. */
async function traffic(pid: number): Promise<number> {
  const counts = await readFile(`/proc/${pid}/io`, 'utf8');
  return [...counts.matchAll(/^[rw]char: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

test(
  'an image goes straight from one node to another',
  { skip: process.platform !== 'linux' && 'needs /proc' },
  async () => {
    const { path: sort } = await fixture('sort');
    const running = lab.spawn(['run', sort, '900000', word]);
    const { pid } = await lab.process(word);
    await lab.migrate(pid, 'node2');
    const home = lab.node('node1').running.pid;
    const before = await traffic(home);
    const { moved, image_bytes: bytes } = await lab.migrate(pid, 'node3');
    const passed = (await traffic(home)) - before;
    assert(moved && bytes > 2_000_000, `an image of ${bytes} bytes`);
    assert(passed < bytes / 4, `${passed} bytes passed through home for an image of ${bytes}`);
    assert.equal((await running.result()).status, 0);
  },
);

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});
