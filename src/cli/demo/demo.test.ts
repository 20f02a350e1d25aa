import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { type FakeDaemon, FAKE_STATS, exited, writeAll } from '../../admin/testing/fake-daemon.ts';
import { serveFake } from '../../admin/testing/served.ts';
import type { NodeInfo, ProcessInfo } from '../../node/daemon.ts';
import type { Job } from './jobs.ts';
import { type Finished, difference, median, summary } from './outcome.ts';
import { play } from './play.ts';
import { Screen, picture } from './screen.ts';
import { liveShow, plainShow, watch } from './show.ts';
import { Story } from './story.ts';

const QUIET: Job = { name: 'ray', args: ['7'], what: 'rays', everyMs: 1, told: false };
const TOLD: Job = { name: 'awk', args: [], what: 'loops', everyMs: 1, told: true };

const nodeInfo = (id: number): NodeInfo => ({
  id,
  name: `node${id}`,
  address: '127.0.0.1:1',
  arch: 'x64',
  os: 'linux',
  state: 'up',
  cpus: 2,
  load: 0.5,
  memory_total: 2 ** 33,
  memory_free: 2 ** 32,
  processes: 1,
});

const processInfo = (pid: number, node: number, moves: number): ProcessInfo => ({
  pid,
  ppid: 0,
  home: 1,
  node,
  state: 'running',
  threads: 1,
  memory: 1,
  cpu_ms: 5,
  moves,
  stay: [],
  command: ['ray'],
});

const finished = (text: string, code = 0, moves = 2): Finished => ({
  output: Buffer.from(text),
  end: exited(code),
  stats: { ...FAKE_STATS, moves, freeze_ms: moves > 0 ? [1, 9, 2] : [] },
});

/** Time that passes only when a program ends. */
async function playOn(daemon: FakeDaemon, jobs: readonly Job[], served: Awaited<ReturnType<typeof serveFake>>) {
  let now = 0;
  const story = new Story();
  const { connect, directory } = served;
  daemon.nodeList = [nodeInfo(1), nodeInfo(2)];
  const playing = play({
    jobs,
    programPath: ({ name }) => `/${name}`,
    connect,
    scratch: directory,
    totalMs: 1000,
    elapsed: () => (now += 50),
    story,
  });
  return { outcomes: await playing, story };
}

test('each job runs once unmoved and, until the time is over, moved', async (t) => {
  const served = await serveFake(t);
  const { daemon } = served;
  const specs: (readonly [boolean, number | null, readonly string[], readonly string[]])[] = [];
  daemon.programs.set('ray', async ({ spec, io }) => {
    specs.push([spec.pin, spec.hopMicros, spec.args, readdirSync(spec.dirs[0]!.host)]);
    await writeAll(io.stdout, Buffer.from('picture'));
    await writeAll(io.stderr, Buffer.from('!'));
    return exited(0);
  });
  const { outcomes, story } = await playOn(daemon, [QUIET], served);
  assert.equal(outcomes.length, 1);
  const { reference, moved } = outcomes[0]!;
  assert.ok(moved.length > 1);
  for (const { output } of [reference, ...moved]) assert.equal(output.toString(), 'picture!');
  assert.deepEqual(
    specs.filter(([pin]) => pin),
    [[true, null, ['ray', '7'], []]],
  );
  assert.ok(specs.every(([, hop]) => hop === null));
  assert.equal(story.rows.size, 0);
  assert.equal(story.finished, specs.length);
  assert.deepEqual(readdirSync(served.directory), ['control.sock']);
});

test('a job is moved to each node in turn', async (t) => {
  const served = await serveFake(t);
  const { daemon } = served;
  const three = Promise.withResolvers<void>();
  daemon.migrate = (pid, target) => {
    daemon.done.push(target);
    if (daemon.done.length === 3) three.resolve();
    return Promise.resolve({ node: 2, name: target, moved: true, freeze_ms: 1, total_ms: 2, image_bytes: pid });
  };
  daemon.programs.set('awk', async ({ spec }) => {
    if (!spec.pin) await three.promise;
    return exited(0);
  });
  const { story } = await playOn(daemon, [TOLD], served);
  assert.deepEqual(daemon.done.slice(0, 3), ['node2', 'node1', 'node2']);
  assert.ok(story.events.some(({ text }) => /^godwit migrate \d+ node2: frozen for 1.0ms$/.test(text)));
});

test('when the node goes away the play ends, and leaves no failure that nobody sees', async (t) => {
  const served = await serveFake(t);
  const { daemon } = served;
  daemon.programs.set('ray', () => new Promise(() => {}));
  daemon.nodes = () => {
    void daemon.shutdown();
    return new Promise(() => {});
  };
  await assert.rejects(playOn(daemon, [QUIET], served), { code: 'node_down' });
});

test('any difference is found and told', () => {
  assert.equal(difference(finished('abc'), finished('abc')), null);
  assert.match(difference(finished('abc'), finished('abd'))!, /differs at byte 2 of 3/);
  assert.match(difference(finished('abc'), finished('ab'))!, /differs at byte 2 of 3/);
  assert.match(difference(finished('abc'), finished('abc', 1))!, /ended with 1 instead of 0/);
  const good = { job: 'ray', reference: finished('x', 0, 0), moved: [finished('x'), finished('x')] };
  const { lines, equal } = summary([good]);
  assert.equal(equal, true);
  assert.match(
    lines.join('\n'),
    /ray +2 runs, 4 moves: output identical \(1 bytes\)[^]*2.0ms in the median, 9.0ms at worst[^]*Equal: 4 moves, and all 2 outputs are/,
  );
  for (const bad of [
    { ...good, moved: [finished('x'), finished('y')] },
    { ...good, moved: [finished('x', 0, 0)] },
    { ...good, reference: finished('x', 1, 0), moved: [finished('x', 1)] },
    { ...good, reference: finished('x', 0, 1) },
  ]) {
    const result = summary([good, bad]);
    assert.equal(result.equal, false);
    assert.match(result.lines.join('\n'), /NOT EQUAL/);
  }
  assert.equal(summary([]).equal, false);
  assert.equal(median([3, 1, 2, 4]), 2);
  assert.equal(median([]), null);
});

test('moves are seen, counted and drawn', () => {
  const story = new Story();
  story.started('ray', 'rays', 65_537, false);
  story.seen([nodeInfo(1), nodeInfo(2)], [processInfo(65_537, 1, 0)], 0);
  story.seen(story.nodes, [processInfo(65_537, 2, 3), processInfo(9, 1, 1)], 100);
  assert.equal(story.moves, 3);
  assert.deepEqual(story.events, [{ at: 100, kind: 'move', text: 'ray (65537) moved from node1 to node2' }]);
  // oxlint-disable-next-line no-control-regex -- escape sequences are what has to go
  const plain = picture(story, 5000, 20_000, 80).map((line) => line.replaceAll(/\u001b\[[\d;]*m/g, ''));
  for (const line of plain) assert.ok(line.length <= 80, line);
  assert.match(plain.join('\n'), /65537 +ray +running +5.0ms +3 +· +●/);
  assert.match(plain.join('\n'), /node1 +up +linux\/x64 +load 0.50/);
});

test('the screen redraws in place, fits the window and gives the cursor back', () => {
  let written = '';
  const terminal = { columns: 80, rows: 4, write: (text: string) => (written += text) };
  const screen = new Screen(terminal);
  screen.close();
  assert.equal(written, '');
  screen.draw(['1', '2', '3', '4', '5']);
  assert.equal(written.match(/\n/g)?.length, 3);
  screen.draw(['a']);
  screen.close();
  assert.ok(written.includes('\u001b[3A\ra\u001b[K\n\u001b[J'));
  assert.ok(written.startsWith('\u001b[?25l') && written.endsWith('\u001b[?25h'));
});

test('a show that was closed shows nothing more: the terminal belongs to others then', () => {
  let written = '';
  const story = new Story();
  const write = (text: string): string => (written += text);
  const shows = [liveShow(story, 1000, { columns: 80, rows: 24, write }), plainShow(story, write)];
  for (const show of shows) {
    show.frame(3000);
    show.close();
    const before = written;
    story.tell(3000, 'a note');
    show.frame(6000);
    show.close();
    assert.notEqual(written, '');
    assert.equal(written, before);
  }
});

test('without a terminal, plain lines tell the notes and where everything runs', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.nodeList = [nodeInfo(1)];
  daemon.processes = [processInfo(65_537, 1, 2)];
  const story = new Story();
  const lines: string[] = [];
  const show = plainShow(story, (text) => lines.push(text));
  const over = Promise.withResolvers<void>();
  story.started('ray', 'rays', 65_537, false);
  story.tell(1, 'a note');
  story.tell(2, 'a move', 'move');
  let now = 0;
  const frames = { ...show, frame: (ms: number) => (show.frame(ms), ms > 5000 && over.resolve()) };
  await watch(story, frames, await connect(), () => (now += 1000), over.promise);
  assert.equal(lines[0], '1.0ms: a note');
  assert.match(lines[1]!, /^\d.0s: 2 moves so far; ray on node1$/);
  assert.ok(!lines.includes('2.0ms: a move'));
});
