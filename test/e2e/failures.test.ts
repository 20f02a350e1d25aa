/**
 * Nodes that are killed or stopped and connections that break, at moments found by chance (the seed is printed and can
 * be given as GODWIT_SEED) and at chosen ones. Each process then runs exactly once, with its output complete, or ends
 * with a report that names the node that took it along.
 *
 * What takes longer than half a minute, a node that is given up as down while it is only stopped, is left to the
 * simulated cluster (src/migration), which needs no real time for it.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { checkRight, Faults, isRight } from '../support/faults.ts';
import { eventually, type Lab, type Running } from '../support/lab.ts';
import { RUNS } from '../support/runs.ts';

let faults: Faults;
let lab: Lab;
let awk = '';
let waits = '';
before(async () => {
  faults = await Faults.start();
  ({ lab } = faults);
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
  await faults.restart('node2');
  faults.checkLost(await lost.running.result(), 'node2');
  for (const { running } of kept) await endsWell(running);
  await faults.untilIdle();
});

describe('killed at a random moment while processes move', () => {
  for (const victim of ['node2', 'node3']) {
    test(victim, async () => {
      const names = ['a', 'b'].map((letter) => `${word}-${letter}`);
      const all = names.map((name, i) => lab.spawn(['run', '--hop', `${20 + 10 * i}ms`, awk, ...long.args, name]));
      await faults.afterMoves(names[0] ?? '', 1 + faults.random.below(8));
      await faults.restart(victim);
      for (const running of all) {
        const result = await running.result();
        if (!isRight(long, result)) faults.checkLost(result, victim);
      }
      await faults.untilIdle();
    });
  }
});

test('a home that is killed ends its commands, and its guests elsewhere', async () => {
  const { running } = await waitingAt('node2');
  const hopping = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, `${word}-b`]);
  await faults.afterMoves(`${word}-b`, 1 + faults.random.below(4));
  await faults.restart('node1');
  for (const command of [running, hopping]) {
    const { stderr, status } = await command.result();
    assert.match(stderr, /^godwit: [^\n]*\n$/);
    assert.equal(status, 125);
  }
  await faults.untilIdle();
  await endsWell((await waitingAt('node2', `${word}-c`)).running);
});

describe('connections that break while processes move', () => {
  test('are a pause', async () => {
    const running = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, word]);
    for (let i = 0; i < 4; i++) {
      await faults.afterMoves(word, 1 + faults.random.below(3));
      lab.node(`node${1 + faults.random.below(3)}`).kill('SIGUSR2');
    }
    checkRight(long, await running.result());
    await faults.untilIdle();
  });

  test('lose and repeat no input', async () => {
    const running = lab.spawn(['run', '--hop', '5ms', waits, '0', word]);
    await running.output(/ready/);
    const lines = Array.from({ length: 40 }, (_, i) => `line ${i + 1}`);
    for (const [i, line] of lines.entries()) {
      running.write(`${line}\n`);
      if (i % 8 === 3) lab.node(`node${1 + faults.random.below(3)}`).kill('SIGUSR2');
      await running.output(new RegExp(`^${i + 1}: `, 'm'));
    }
    running.endInput();
    const { stdout, stderr, status } = await running.result();
    assert.deepEqual(
      [...stdout.matchAll(/^\d+: (line \d+) /gm)].map(([, line]) => line),
      lines,
    );
    assert.deepEqual([stderr, status], ['', 0]);
    await faults.untilIdle();
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
    await faults.untilUp('node2');
    await lab.migrate(pid, 'home');
    await endsWell(running);
    await faults.untilIdle();
  });

  test('in the middle of moves', async () => {
    const running = lab.spawn(['run', '--hop', '20ms', awk, ...long.args, word]);
    await faults.afterMoves(word, 1 + faults.random.below(4));
    const victim = lab.node(`node${2 + faults.random.below(2)}`);
    victim.kill('SIGSTOP');
    assert.equal((await lab.run(['run', awk, '3', '5'])).status, 0);
    victim.kill('SIGCONT');
    checkRight(long, await running.result());
    await faults.untilIdle();
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
