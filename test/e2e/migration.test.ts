/** Processes that move among three real daemons: blocked in each kind of call, by command, and past their home. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProcessInfo } from '../../src/node/daemon.ts';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { type FixtureName } from '../support/fixtures.ts';
import { eventually, Lab, type Running, type SpawnOptions } from '../support/lab.ts';
import { RUNS } from '../support/runs.ts';

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(() => lab.stop());

/** Arguments that no other process has find it in `godwit ps`. */
let word = '';
let serial = 0;
beforeEach(() => {
  word = `run-${++serial}`;
});

async function start(program: FixtureName, args: readonly string[], options: SpawnOptions = {}): Promise<Running> {
  return lab.spawn(['run', '--env', 'A', (await fixture(program)).path, ...args], options);
}

const LINES = /^ready\n1: one \(\w+\)\n2: two \(\w+\)\n3: three \(\w+\)\n3 lines\nwaits checksum \w+\n$/;

describe('a process that waits for input', () => {
  test('is moved around, and gets what is typed at each place', async () => {
    const running = await start('waits', ['1', word]);
    const { pid } = await lab.process(word);
    await running.output(/ready/);
    await lab.migrate(pid, 'node2');
    assert.equal(await lab.placeOf(pid), 'node2');
    running.write('one\n');
    await running.output(/1: one/);
    await lab.migrate(pid, 'node3');
    assert.equal(await lab.placeOf(pid), 'node3');
    running.write('two\n');
    await running.output(/2: two/);
    await lab.migrate(pid, 'home');
    assert.equal(await lab.placeOf(pid), 'node1');
    running.endInput('three\n');
    const { stdout, stderr, status } = await running.result();
    assert.match(stdout, LINES);
    assert.deepEqual([stderr, status], ['', 0]);
  });

  test('gets what is typed while it moves', async () => {
    const running = await start('waits', ['0', word]);
    const { pid } = await lab.process(word);
    let expected = 0;
    for (const target of ['node2', 'node3', 'node1', 'node3', 'node2', 'home']) {
      const moved = lab.migrate(pid, target);
      for (let i = 0; i < 20; i++) running.write(`line ${++expected}\n`);
      await moved;
    }
    running.endInput();
    const { stdout, status } = await running.result();
    const lines = [...stdout.matchAll(/^(\d+): line (\d+) /gm)].map(([, n, text]) => [Number(n), Number(text)]);
    assert.deepEqual(
      lines,
      Array.from({ length: expected }, (_, i) => [i + 1, i + 1]),
    );
    assert.equal(status, 0);
  });

  test('from a pipe between two programs', async () => {
    const { path: file } = await fixture('waits');
    const { path: hello } = await fixture('hello');
    const script = `(sleep 0.3; $GODWIT run ${hello} a; sleep 0.3; $GODWIT run ${hello} b) | $GODWIT run --hop 10ms ${file} 1`;
    const { stdout, stderr, status } = await lab.shell(script);
    assert.match(stdout, /^ready\n1: hello, a \(\w+\)\n2: hello, b \(\w+\)\n2 lines\nwaits checksum \w+\n$/);
    assert.deepEqual([stderr, status], ['', 0]);
  });

  test('is moved by the command, which says how that went', async () => {
    const running = await start('waits', ['1', word]);
    const { pid } = await lab.process(word);
    const moved = await lab.run(['migrate', String(pid), 'node2']);
    assert.deepEqual([moved.stderr, moved.status], ['', 0]);
    assert.match(moved.stdout, /node2/);
    const back = await lab.run(['migrate', String(pid), 'home'], { node: 'node3' });
    assert.deepEqual([back.stderr, back.status], ['', 0]);
    assert.equal(await lab.placeOf(pid), 'node1');
    running.endInput();
    assert.equal((await running.result()).status, 0);
  });

  test('is ended by a signal where it is', async () => {
    const running = await start('waits', ['1', word]);
    const { pid } = await lab.process(word);
    await lab.migrate(pid, 'node3');
    const { status, stderr } = await lab.run(['kill', String(pid)], { node: 'node2' });
    assert.deepEqual([stderr, status], ['', 0]);
    assert.equal((await running.result()).status, 128 + 15);
  });
});

test('a process that sleeps is moved and sleeps on', async () => {
  const running = await start('waits', ['4000', word]);
  running.endInput('a\n');
  const { pid } = await lab.process(word);
  await running.output(/ready/);
  for (const target of ['node2', 'node3', 'node2', 'home', 'node3']) await lab.migrate(pid, target);
  const { stdout, status } = await running.result();
  assert.match(stdout, /^ready\n1: a \(\w+\)\n1 lines\nwaits checksum \w+\n$/);
  assert.equal(status, 0);
});

test('a sleep is as long as it should be by the clock of a process that moves', async () => {
  const naps = (await fixture('naps')).path;
  const running = lab.spawn(['run', '--hop', '5ms', naps, '60', '25', word]);
  const { stdout, stderr, status } = await running.result();
  assert.deepEqual([stdout, stderr, status], ['0 of 60 naps were too short\n', '', 0]);
});

describe('a process that computes', () => {
  const long = RUNS.find(({ fixture: name, length }) => name === 'awk' && length === 'long') ?? assert.fail();

  async function checkEnd(running: Running): Promise<void> {
    const { stdout, stderr, status } = await running.result();
    assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), long.stdout);
    assert.deepEqual([stderr, status], ['', 0]);
  }

  test('is moved by order of any node', async () => {
    const running = await start('awk', [...long.args, word]);
    const { pid } = await lab.process(word);
    assert((await lab.migrate(pid, 'node2')).moved);
    assert(!(await lab.migrate(pid, 'node2')).moved);
    assert((await lab.migrate(pid, String(lab.node('node3').id), 'node2')).moved);
    assert((await lab.migrate(pid, 'home', 'node3')).moved);
    await checkEnd(running);
  });

  test('starts where it is told to', async () => {
    const { path: file } = await fixture('awk');
    const running = lab.spawn(['run', '--node', 'node3', file, ...long.args, word]);
    const { pid, home } = await lab.process(word);
    assert.equal(lab.nameOf(home), 'node1');
    await eventually('its arrival', async () => ((await lab.placeOf(pid)) === 'node3' ? true : null));
    await checkEnd(running);
  });

  test('--stats counts what happened', async () => {
    const file = path.join(lab.directory, 'stats.json');
    const { path: program } = await fixture('files');
    const args = ['run', '--hop', '20ms', '--stats', file, program, '100', '20000'];
    const { status, stderr } = await lab.run(args);
    assert.deepEqual([stderr, status], ['', 0]);
    const stats = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const { moves, freeze_ms, image_bytes, home_calls, local_calls, cpu_ms } = stats;
    assert(typeof moves === 'number' && moves > 0);
    for (const list of [freeze_ms, image_bytes]) {
      assert(Array.isArray(list) && list.length === moves);
      assert(list.every((value) => typeof value === 'number' && value > 0));
    }
    assert(typeof home_calls === 'number' && home_calls > 0);
    assert(typeof local_calls === 'number' && local_calls > 0);
    assert(typeof cpu_ms === 'object' && cpu_ms !== null && Object.keys(cpu_ms).length > 1);
    assert(Object.keys(cpu_ms).every((name) => ['node1', 'node2', 'node3'].includes(name)));
  });
});

test('the start on another node is no move', async () => {
  const file = path.join(lab.directory, 'placed.json');
  const { path: program } = await fixture('hello');
  const { status } = await lab.run(['run', '--node', 'node2', '--stats', file, program]);
  assert.equal(status, 0);
  const { moves, freeze_ms, image_bytes } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  assert.deepEqual([moves, freeze_ms, image_bytes], [0, [], []]);
});

describe('what cannot be moved', () => {
  let held: Running;
  let process: ProcessInfo;
  before(async () => {
    held = lab.spawn(['run', '--pin', (await fixture('waits')).path, '1', 'pinned']);
    process = await lab.process('pinned');
  });

  test('a pinned process, and why', async () => {
    assert.deepEqual(process.stay, ['user_lock']);
    const { stdout, stderr, status } = await lab.run(['migrate', String(process.pid), 'node2']);
    assert.match(stderr, /^godwit: [^\n]*user_lock \(it was started with --pin, which holds until it ends\)\n$/);
    assert.deepEqual([stdout, status], ['', 1]);
    assert.equal(await lab.placeOf(process.pid), 'node1');
  });

  test('to a node that does not exist', async () => {
    const { stderr, status } = await lab.run(['migrate', String(process.pid), 'nowhere']);
    assert.match(stderr, /^godwit: [^\n]*nowhere[^\n]*node1[^\n]*\n$/);
    assert.equal(status, 1);
  });

  test('a process that does not exist', async () => {
    for (const command of [
      ['migrate', '65000', 'home'],
      ['kill', '65000'],
      ['wait', '65000'],
      ['logs', '65000'],
    ]) {
      const { stderr, status } = await lab.run(command);
      assert.match(stderr, /^godwit: [^\n]*65000[^\n]*"godwit ps"[^\n]*\n$/);
      // Of wait 1 would be the program's.
      assert.equal(status, command[0] === 'wait' ? 125 : 1, command.join(' '));
    }
  });

  test('what is only known at its home', async () => {
    const { stderr, status } = await lab.run(['logs', String(process.pid)], { node: 'node2' });
    assert.equal(
      stderr,
      `godwit: the log of process ${process.pid} is at its home: run "godwit logs ${process.pid}" on node node1\n`,
    );
    assert.equal(status, 1);
  });

  test('a process that has ended', async () => {
    held.endInput();
    assert.equal((await held.result()).status, 0);
    const pid = String(process.pid);
    for (const node of ['node1', 'node2']) {
      for (const command of [
        ['migrate', pid, 'node2'],
        ['kill', pid],
      ]) {
        const { stderr, status } = await lab.run(command, { node });
        assert.match(stderr, new RegExp(`^godwit: process ${pid} has ended; "godwit wait ${pid}" [^\\n]*\\n$`));
        assert.equal(status, 1, command.join(' '));
      }
    }
  });
});

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});

test('a process that has ended leaves nothing behind on any node', async () => {
  const programs = [
    start('awk', ['300', '3000', word]),
    start('ends', ['exit', '3', word]),
    start('ends', ['unreachable', word]),
    start('hello', [word]),
  ];
  const moved = await start('waits', ['0', `${word}-moved`]);
  const { pid } = await lab.process(`${word}-moved`);
  await lab.migrate(pid, 'node2');
  moved.endInput('one\n');
  await moved.result();
  for (const running of programs) await (await running).result();
  await eventually('guests of ended processes are gone', async () => {
    const { stdout } = await lab.run(['nodes', '--json']);
    const nodes = JSON.parse(stdout) as { processes: number }[];
    return nodes.length === 3 && nodes.every(({ processes }) => processes === 0) ? nodes : null;
  });
});
