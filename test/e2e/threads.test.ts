/**
 * Programs with threads as processes: their threads move together, stop together and end together. What they print is
 * byte for byte what the unmodified program prints in threads of Node (test/fixtures.test.ts).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { eventually, Lab, type Running, type RunOptions } from '../support/lab.ts';
import { type FixtureRun, THREAD_RUNS } from '../support/runs.ts';

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(() => lab.stop());

/** Arguments that no other process has find it in `godwit ps`: the programs ignore a third one, or a fourth. */
let word = '';
let serial = 0;
beforeEach(() => {
  word = `threads-${++serial}`;
});

const named = ({ fixture: program, args }: FixtureRun): string => `${program} ${args.join(' ')}`;
const runOf = (program: FixtureRun['fixture'], length: FixtureRun['length']): FixtureRun =>
  THREAD_RUNS.find((run) => run.fixture === program && run.length === length) ?? assert.fail();

async function check(run: FixtureRun, options: readonly string[], where: RunOptions): Promise<void> {
  const { path: file } = await fixture(run.fixture);
  const input = run.stdin ?? '';
  const { stdout, stderr, status } = await lab.run(['run', ...options, file, ...run.args], { input, ...where });
  assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), run.stdout, stdout + stderr);
  assert.equal(status, run.status, stderr);
}

describe('inside the command', () => {
  for (const run of THREAD_RUNS.filter(({ length }) => length === 'tiny'))
    test(named(run), () => check(run, [], { node: null }));
});

describe('started on another node', () => {
  for (const run of THREAD_RUNS.filter(({ length }) => length === 'tiny'))
    test(named(run), () => check(run, ['--node', 'node2'], {}));
});

// For minutes, and every few milliseconds: `npm run torture -- programs`.
describe('hopping among three nodes', { concurrency: 2 }, () => {
  let moves = 0;
  for (const run of THREAD_RUNS) {
    test(named(run), async () => {
      const stats = path.join(await mkdtemp(path.join(lab.directory, 'stats-')), 'json');
      await check(run, ['--hop', '20ms', '--stats', stats], {});
      moves += (JSON.parse(await readFile(stats, 'utf8')) as { readonly moves: number }).moves;
    });
  }
  after(() => assert.ok(moves > 0, 'no run has moved'));
});

/** One thread that waits for five others, which take long; its output comes at the end. */
const LONG = runOf('threads/queue', 'long');
const THREADS = 6;

async function start(): Promise<Running> {
  return lab.spawn(['run', '--env', `WORD=${word}`, (await fixture(LONG.fixture)).path, ...LONG.args, word]);
}

async function checkEnd(running: Running): Promise<void> {
  const { stdout, stderr, status } = await running.result();
  assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), LONG.stdout, stdout + stderr);
  assert.deepEqual([stderr, status], ['', 0]);
}

/** Waits until it has all its threads. */
function withThreads(): Promise<number> {
  return eventually('a process with all its threads', async () => {
    const process = (await lab.ps()).find(({ command }) => command.includes(word));
    return process?.threads === THREADS ? process.pid : null;
  });
}

test('godwit ps counts its threads, here and elsewhere', async () => {
  const running = await start();
  const pid = await withThreads();
  await lab.migrate(pid, 'node2');
  assert.equal((await lab.process(word)).threads, THREADS);
  assert.equal((await lab.process(word, 'node3')).threads, THREADS);
  await checkEnd(running);
});

test('a signal ends all threads, at home and away, and leaves nothing behind', async () => {
  for (const target of [null, 'node3']) {
    word = `${word}x`;
    const running = await start();
    const pid = await withThreads();
    if (target !== null) await lab.migrate(pid, target);
    assert.equal((await lab.run(['kill', String(pid)], { node: 'node2' })).status, 0);
    assert.equal((await running.result()).status, 128 + 15);
    await eventually('a node without it', async () =>
      (await lab.ps()).some(({ command }) => command.includes(word)) ? null : true,
    );
  }
});

test('Ctrl-C ends all threads', async () => {
  const running = await start();
  await withThreads();
  running.signal('SIGINT');
  assert.equal((await running.result()).status, 130);
});

test('stopped and continued, it ends as it should, moved meanwhile or not', async () => {
  for (const target of [null, 'node2']) {
    word = `${word}x`;
    const running = await start();
    const pid = await withThreads();
    assert.equal((await lab.run(['kill', '-STOP', String(pid)])).status, 0);
    if (target !== null) await lab.migrate(pid, target);
    assert.equal((await lab.process(word)).state, 'stopped');
    assert.equal((await lab.run(['kill', '-CONT', String(pid)])).status, 0);
    await checkEnd(running);
  }
});

test('godwit ps says blocked when all threads wait, in calls or for each other, wherever they are', async () => {
  const run = runOf('prebuilt/streams', 'tiny');
  const { path: file } = await fixture(run.fixture);
  const running = lab.spawn(['run', file, ...run.args, word]);
  const isBlocked = (threads: number) =>
    eventually('a process that is blocked', async () => {
      const found = (await lab.ps()).find(({ command }) => command.includes(word));
      return found?.state === 'blocked' && found.threads === threads ? found.pid : null;
    });
  // One waits for input, one for that one's lock, and the first for both to end.
  const pid = await isBlocked(3);
  await lab.migrate(pid, 'node2');
  await isBlocked(3);
  await lab.migrate(pid, 'node3');
  await isBlocked(3);
  running.endInput(run.stdin);
  const { stdout, stderr, status } = await running.result();
  assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), run.stdout, stdout + stderr);
  assert.equal(status, 0);
});

test('a process is running while one of its threads computes', async () => {
  const running = await start();
  const pid = await withThreads();
  assert.equal((await lab.process(word)).state, 'running');
  await lab.migrate(pid, 'node2');
  assert.equal((await lab.process(word)).state, 'running');
  running.signal('SIGINT');
  assert.equal((await running.result()).status, 130);
});

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});
