/** What a user sees of moves, one rule a test; the failures are in simulation.test.ts and everypoint.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { incarnation, moveId, nodeId } from '../base/ids.ts';
import type { Pid } from '../base/ids.ts';
import { GIVEN_UP_MS } from '../base/timing.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named } from '../link/frames/process.ts';
import type { MoveResult } from './hosts.ts';
import type { Program } from './testing/program.ts';
import { outcome } from './testing/program.ts';
import { World } from './testing/world.ts';
import { TIMES } from './timing.ts';

const counting = (steps: number): Program => ({
  threads: [Array.from({ length: steps }, () => ({ kind: 'append' }))],
  status: 7,
  bytes: 1_500_000,
});

/** Three nodes; a process with node 1 as its home. */
function setUp(program = counting(400)) {
  const world = new World(1);
  world.moody = false;
  for (const id of [1, 2, 3]) world.boot(id);
  const pid = world.spawn(world.node(1), program);
  const move = (target: number, by = 1): { result: MoveResult | undefined } => {
    const asked = world.migrate(world.node(by), pid, nodeId(target));
    return {
      get result() {
        return asked.answers[0];
      },
    };
  };
  const settle = (ms = 3_000): void => world.clock.advance(ms);
  return { world, pid, move, settle, home: world.node(1) };
}

const placeOf = (world: World, pid: Pid): number | undefined => world.node(1).roles.home.get(pid)?.place;

const codeOf = ({ result }: { result: MoveResult | undefined }): string | undefined =>
  result?.ok === false ? result.code : undefined;

test('a process goes from home to a node, to another one directly, and home; its user sees nothing', () => {
  const { world, pid, move, settle } = setUp();
  for (const [target, by] of [
    [2, 1],
    [3, 2],
    [1, 3],
  ] as const) {
    let through = 0;
    world.network.onDelivery = (from, to, { frame }) => {
      if (frame === 'image_chunk' && (from === 1 || to === 1)) through++;
    };
    const asked = move(target, by);
    settle(1_000);
    assert(asked.result?.ok && asked.result.stats);
    const { freezeMs, totalMs, imageBytes } = asked.result.stats;
    assert(freezeMs > 0 && freezeMs <= totalMs);
    assert.equal(imageBytes, 1_500_000);
    assert.equal(placeOf(world, pid), target);
    assert.equal(through > 0, target !== 3, 'the image takes the direct way');
  }
  settle(60_000);
  world.checkEnd();
  const { end, logs, program } = world.process(pid);
  assert.deepEqual([end?.cause, end?.status, end?.node], ['exit', 7, 1]);
  assert.deepEqual(logs[0], outcome(program)[0]?.log);
});

test('a process that waits in a call moves at once, and the reply follows it', () => {
  const { world, pid, move, settle } = setUp({ threads: [[{ kind: 'block', ms: 5_000 }]], status: 0, bytes: 100 });
  settle(200);
  for (const target of [2, 3, 2]) {
    const asked = move(target);
    settle(400);
    assert.equal(asked.result?.ok, true);
  }
  settle(10_000);
  world.checkEnd();
  assert.deepEqual(world.process(pid).logs, [[0]]);
});

test('to where it is already: done, nothing happens', () => {
  const { world, pid, move, settle } = setUp();
  const asked = move(1);
  assert.deepEqual(asked.result, { ok: true, stats: null });
  settle();
  assert.equal(placeOf(world, pid), 1);
});

test('a refusal names its reason', () => {
  const { world, pid, move, settle, home } = setUp();
  assert.equal(codeOf(move(9)), 'unknown_node');
  const stay = home.stay;
  stay.push('user_lock');
  const locked = move(2);
  assert(locked.result?.ok === false && locked.result.code === 'cannot_move');
  assert.match(locked.result.reason, /user_lock \(it was started with --pin/);
  stay.length = 0;
  // The reason comes while the target prepares.
  const late = move(2);
  stay.push('user_lock');
  settle();
  assert.equal(codeOf(late), 'cannot_move');
  stay.length = 0;
  world.node(2).refuses = 'its memory is full';
  const refused = move(2);
  settle();
  assert.deepEqual(refused.result, {
    ok: false,
    code: 'move_refused',
    reason: 'node 2 refuses the process: its memory is full',
  });
  world.node(2).refuses = null;
  world.kill(pid);
  assert.equal(codeOf(move(2)), 'unknown_process');
  settle();
  world.checkEnd();
});

test('of several wishes during a move the last one counts, and the same wish joins', () => {
  const { world, pid, move, settle } = setUp();
  const first = move(2);
  const same = move(2);
  const overtaken = move(1);
  const last = move(3);
  const joins = move(3);
  settle(1_500);
  assert.deepEqual(
    [first, same, overtaken, last, joins].map((asked) => asked.result?.ok),
    [true, true, false, true, true],
  );
  assert.equal(codeOf(overtaken), 'move_failed');
  assert.equal(placeOf(world, pid), 3);
});

test('a target that never gets ready is given up', () => {
  const { world, pid, move, settle } = setUp(counting(20_000));
  world.node(2).refuses = 'never';
  const asked = move(2);
  settle(TIMES.prepareMs - 1_000);
  assert.equal(asked.result, undefined);
  settle(2_000);
  assert.equal(codeOf(asked), 'move_failed');
  assert.equal(world.node(2).roles.reservations, 0);
  assert.equal(placeOf(world, pid), 1);
});

test('what a frozen copy has used may be told while its move ends, and costs no copy', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle(1_000);
  assert.equal(placeOf(world, pid), 2);
  world.network.onDelivery = (_from, to, { frame }) => {
    if (frame !== 'commit' || to !== 3) return;
    world.node(2).roles.reportUsage(pid, { cpuMs: 1, memoryBytes: 1n, localCalls: 1n, threads: 1, waiting: [] });
    world.node(3).kill();
  };
  const asked = move(3);
  settle(40_000);
  assert.equal(asked.result?.ok, false);
  assert.equal(placeOf(world, pid), 2);
  settle(120_000);
  const { end } = world.process(pid);
  assert.deepEqual([end?.cause, end?.status, end?.node], ['exit', 7, 2]);
});

test('a kill in the middle of a move wins', () => {
  const { world, pid, move } = setUp();
  const asked = move(2);
  let at = 0;
  world.onEvent = () => {
    if (at++ === 8) world.kill(pid);
  };
  world.clock.advance(5_000);
  world.checkEnd();
  assert.deepEqual([world.process(pid).end?.cause, world.process(pid).end?.status], ['killed', 137]);
  assert.equal(codeOf(asked), 'unknown_process');
});

test('a process that is stopped stays so when it moves', () => {
  const { world, pid, move, settle, home } = setUp();
  home.roles.setStopped(pid, true);
  settle(100);
  const log = world.process(pid).logs[0] ?? assert.fail();
  const before = log.length;
  const asked = move(2);
  settle();
  assert.equal(asked.result?.ok, true);
  assert.equal(log.length, before);
  home.roles.setStopped(pid, false);
  settle();
  assert(log.length > before);
});

test('a process that is being frozen while a session is lost is told again whether it is stopped', () => {
  const { world, pid, move, settle, home } = setUp(counting(2_000));
  move(2);
  settle();
  const orders: Named<MigrationMessage, 'freeze'>[] = [];
  world.network.onDelivery = (_from, _to, message) => {
    if (message.frame === 'freeze') orders.push(message);
  };
  move(3);
  while (orders.length === 0) settle(1);
  const { incarnation: current, move: id } = orders[0]!;
  const told: boolean[] = [];
  world.network.onDelivery = (_from, to, message) => {
    if (to === 2 && message.frame === 'set_stopped') told.push(message.stopped);
  };
  const entries = [{ pid, incarnation: current, move: id, state: 'freezing' }] as const;
  home.roles.receive(nodeId(2), { frame: 'holdings', entries });
  settle();
  assert.deepEqual(told, [false]);
});

test('a process that starts at its target while a session is lost is told again whether it is stopped', () => {
  const { world, pid, move, settle, home } = setUp(counting(2_000));
  const orders: Named<MigrationMessage, 'commit'>[] = [];
  world.network.onDelivery = (_from, to, message) => {
    if (to === 2 && message.frame === 'commit') orders.push(message);
  };
  move(2);
  while (orders.length === 0) settle(1);
  const told: boolean[] = [];
  world.network.onDelivery = (_from, to, message) => {
    if (to === 2 && message.frame === 'set_stopped') told.push(message.stopped);
  };
  const entries = [{ pid, incarnation: orders[0]!.incarnation, move: null, state: 'starting' }] as const;
  home.roles.receive(nodeId(2), { frame: 'holdings', entries });
  settle();
  assert.deepEqual(told, [false]);
});

test('away from a home that is silent it pauses, and goes on with it', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  world.network.cut(nodeId(1), nodeId(2));
  settle(TIMES.leaseMs + 1_000);
  assert.equal(world.node(2).guest(pid).paused, true);
  world.network.heal(nodeId(1), nodeId(2));
  settle(2_000);
  assert.equal(world.node(2).guest(pid).paused, false);
});

test('a home that cannot be reached is an answer too', () => {
  const { world, move, settle } = setUp();
  settle(100);
  world.network.cut(nodeId(1), nodeId(2));
  const asked = move(3, 2);
  settle(10_000);
  assert.equal(codeOf(asked), 'node_down');
});

test('a process ends with the node where it is, and its end names that node', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  world.node(2).kill();
  settle(80_000);
  const { end } = world.process(pid);
  assert.deepEqual([end?.cause, end?.status, end?.node], ['lost', 137, 2]);
  assert.match(end?.report ?? '', /^node 2 was lost with the process/);
});

test('a process is not lost with a node that is heard again while the process was to move from there to its home', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  const [home, source] = [nodeId(1), nodeId(2)];
  world.network.cut(home, source);
  const asked = move(1);
  world.network.declareDown(home, source);
  settle(TIMES.takeoverMs + 1_000);
  assert.equal(world.process(pid).end, null);
  // Their session is another one: home, which is the destination as well, gives up what it waited for in the old one.
  world.network.loseSession(home, source);
  world.network.heal(home, source);
  settle(1_000);
  assert.equal(codeOf(asked), 'move_failed');
  assert.equal(placeOf(world, pid), 2);
  settle(80_000);
  assert.equal(world.process(pid).end?.cause, 'exit');
});

test('the end of a process whose home was silent for long says that it was the home', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  world.node(1).pause();
  settle(GIVEN_UP_MS - 1_000);
  assert.equal(world.node(2).guest(pid).paused, true);
  settle(2_000);
  assert.equal(world.node(2).guests.size, 0);
  world.node(1).goOn();
  settle();
  const { end } = world.process(pid);
  assert.deepEqual([end?.cause, end?.status, end?.node], ['lost', 137, 2]);
  assert.match(end?.report ?? '', /^node 2 has given the process up: it heard nothing of this node, .* for 33 s$/);
});

test('the end of a process with a node that was started anew says so', () => {
  const { world, pid, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  world.node(2).kill();
  world.boot(2);
  settle();
  assert.equal(world.process(pid).end?.report, 'node 2 was started anew, without the process');
});

test('orphans end when their home comes back as a new one', () => {
  const { world, move, settle } = setUp(counting(2_000));
  move(2);
  settle();
  world.node(1).kill();
  settle(5_000);
  assert.equal(world.node(2).guests.size, 1);
  world.boot(1);
  settle(1_000);
  assert.equal(world.node(2).guests.size, 0);
  world.checkEnd();
});

test('a node that prepares a process of another home is refused, and the guest runs on', () => {
  const { world, pid, move, settle } = setUp();
  move(2);
  settle(200);
  assert.equal(placeOf(world, pid), 2);
  const spec = { module: new Uint8Array(32), moduleBytes: 1n, engine: '1', memoryBytes: 0n, threads: 1, features: [] };
  const frame = {
    frame: 'prepare',
    pid,
    move: moveId(1),
    incarnation: incarnation(9),
    source: nodeId(3),
    spec,
  } as const;
  assert.throws(() => world.node(2).roles.receive(nodeId(3), frame), { code: 'protocol' });
  assert.equal(world.node(2).roles.guests.get(pid)?.phase.name, 'running');
});
