/** What a source may send, and what costs it the move. The whole protocol: simulation.test.ts, everypoint.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { incarnation, makePid, moveId, nodeId } from '../base/ids.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import type { DestinationHost, Message, Usage } from './hosts.ts';
import type { RoleMessage } from './roles.ts';
import { Roles } from './roles.ts';
import { NO_GUEST, NO_HOME, NO_SOURCE } from './testing/unused.ts';
import { TIMES } from './timing.ts';

const [HOME, SOURCE, HERE, OTHER] = [nodeId(1), nodeId(2), nodeId(3), nodeId(4)];
const pid = makePid(HOME, 7);
const move = moveId(5);

/** A node that has reserved room for a process and told home so. */
function reserved() {
  const clock = new VirtualClock();
  const sent: [number, Message][] = [];
  const done: string[] = [];
  const destination: DestinationHost = {
    reserve: (which, id) => roles.reserved(which, id),
    open: (_pid, bytes) => (bytes > 1000 ? 'larger than what was reserved' : null),
    write: (_pid, chunk) => done.push(`${chunk.length} bytes`),
    seal: () => done.push('seal'),
    start: (_pid, _incarnation, _home, _paused, frozenMs) => done.push(`stood still for ${frozenMs} ms`),
    giveUp: () => done.push('given up'),
  };
  const roles: Roles = new Roles(
    {
      network: { self: HERE, send: (to, message) => sent.push([to, message]), hasRoom: () => true },
      guest: NO_GUEST,
      source: NO_SOURCE,
      destination,
      home: NO_HOME,
    },
    { clock, random: new SeededRandom(1), log: silentLog },
  );
  const spec = { module: new Uint8Array(32), moduleBytes: 0n, engine: '', memoryBytes: 0n, threads: 1, features: [] };
  roles.receive(HOME, { frame: 'prepare', pid, move, incarnation: incarnation(1), source: SOURCE, spec });
  const failures = (): string[] =>
    sent.flatMap(([to, message]) => (message.frame === 'failed' && to === HOME ? [message.reason] : []));
  return { roles, clock, done, failures, sent };
}

const usage: Usage = { cpuMs: 5, memoryBytes: 65_536n, localCalls: 3n, threads: 1, waiting: [] };
const start = (bytes: bigint): RoleMessage => ({ frame: 'image_start', pid, move, bytes, waitedMs: 0, usage });
const chunk = (offset: bigint, size: number): RoleMessage => ({
  frame: 'image_chunk',
  pid,
  move,
  offset,
  payload: new Uint8Array(size),
});
const end: RoleMessage = { frame: 'image_end', pid, move, digest: new Uint8Array(32) };

test('an image that comes whole and in order is sealed', () => {
  const { roles, done, failures } = reserved();
  for (const message of [start(30n), chunk(0n, 10), chunk(10n, 20), end]) roles.receive(SOURCE, message);
  assert.deepEqual(done, ['10 bytes', '20 bytes', 'seal']);
  assert.deepEqual(failures(), []);
});

for (const [what, messages, reason] of [
  ['that has a gap', [start(30n), chunk(10n, 20)], /image bytes at 10 where 0 of 30 were expected/],
  ['that repeats itself', [start(30n), chunk(0n, 10), chunk(0n, 10)], /image bytes at 0 where 10 of 30/],
  ['that is longer than it said', [start(30n), chunk(0n, 31)], /image bytes at 0 where 0 of 30/],
  ['that ends early', [start(30n), chunk(0n, 10), end], /the image ends after 10 of 30 bytes/],
  ['that is larger than what was reserved', [start(1001n)], /larger than what was reserved/],
] as const) {
  test(`an image ${what} costs the move, and home is told`, () => {
    const { roles, done, failures } = reserved();
    for (const message of messages) roles.receive(SOURCE, message);
    assert.equal(done.at(-1), 'given up');
    assert.equal(failures().length, 1);
    assert.match(failures()[0]!, reason);
    roles.receive(SOURCE, end);
    assert.equal(done.at(-1), 'given up', 'nothing more is taken of it');
  });
}

test('home counts until it hears that the image is here, the destination from when it said so', () => {
  const { roles, clock, done } = reserved();
  for (const message of [start(30n), chunk(0n, 30), end]) roles.receive(SOURCE, message);
  clock.advance(7);
  roles.sealed(pid, move);
  clock.advance(30);
  const commit = { frame: 'commit', pid, move, incarnation: incarnation(2), stopped: false, frozenMs: 100 } as const;
  roles.receive(HOME, commit);
  assert.equal(done.at(-1), 'stood still for 130 ms');
});

test('what the source has told for home goes with the report that the image is here', () => {
  const { roles, sent } = reserved();
  for (const message of [start(30n), chunk(0n, 30), end]) roles.receive(SOURCE, message);
  roles.sealed(pid, move);
  assert.deepEqual(sent.at(-1), [HOME, { frame: 'ready', pid, move, bytes: 30n, waitedMs: 0, usage }]);
});

test('only the source sends the image', () => {
  const { roles, done, failures } = reserved();
  for (const message of [start(30n), chunk(0n, 30), end]) roles.receive(OTHER, message);
  assert.deepEqual([done, failures()], [[], []]);
});

test('a source that sends nothing costs the move', () => {
  const { roles, clock, done, failures } = reserved();
  roles.receive(SOURCE, start(30n));
  clock.advance(TIMES.stallMs + 1);
  assert.deepEqual(done, ['given up']);
  assert.match(failures()[0]!, /node 2 sent nothing for/);
});

test('an order to run what is not here is answered, and runs nothing', () => {
  const commit = (id: number): RoleMessage => ({
    frame: 'commit',
    pid,
    move: moveId(id),
    incarnation: incarnation(2),
    stopped: false,
    frozenMs: 0,
  });
  const failed = { frame: 'start_failed', pid, incarnation: 2, reason: 'the reservation is gone' };
  // Not ready, of another move, and of a reservation that was given up.
  for (const [orders, answers] of [
    [[commit(5)], 1],
    [[commit(6)], 1],
    [[{ frame: 'give_up', pid, move }, commit(5), commit(5)], 2],
  ] as const) {
    const { roles, sent } = reserved();
    sent.length = 0;
    for (const order of orders) roles.receive(HOME, order);
    const told = sent.flatMap(([to, message]) => (message.frame === 'start_failed' ? [[to, { ...message }]] : []));
    assert.deepEqual(
      told,
      Array.from({ length: answers }, () => [HOME, failed]),
    );
  }
});
