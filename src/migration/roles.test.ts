import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { incarnation, makePid, moveId, nodeId } from '../base/ids.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import type { DestinationHost, Message, Network } from './hosts.ts';
import type { RoleMessage } from './roles.ts';
import { Roles } from './roles.ts';
import { NO_GUEST, NO_HOME, NO_SOURCE, unused } from './testing/unused.ts';

const destination: DestinationHost = {
  reserve: unused,
  open: unused,
  write: unused,
  seal: unused,
  start: unused,
  giveUp: unused,
};

const request = (ticket: number): RoleMessage => ({
  frame: 'request',
  ticket,
  pid: makePid(nodeId(1), 7),
  target: nodeId(2),
});

/** Only its home prepares a process. */
const broken: RoleMessage = {
  frame: 'prepare',
  pid: makePid(nodeId(3), 1),
  move: moveId(1),
  incarnation: incarnation(1),
  source: nodeId(3),
  spec: { module: new Uint8Array(32), moduleBytes: 0n, engine: '', memoryBytes: 0n, threads: 1, features: [] },
};

test('what comes in behind an input that is refused is dealt with', () => {
  const answered: number[] = [];
  let send: (message: Message) => void = () => {};
  const network: Network = { self: nodeId(1), send: (_to, message) => send(message), hasRoom: () => true };
  const env = { clock: new VirtualClock(), random: new SeededRandom(1), log: silentLog };
  const roles = new Roles({ network, guest: NO_GUEST, source: NO_SOURCE, destination, home: NO_HOME }, env);
  send = (message) => {
    assert(message.frame === 'answer');
    answered.push(message.ticket);
    if (message.ticket !== 1) return;
    roles.receive(nodeId(2), broken);
    roles.receive(nodeId(2), request(2));
  };
  assert.throws(() => roles.receive(nodeId(2), request(1)), { code: 'protocol', message: /not its own/ });
  assert.deepEqual(answered, [1, 2]);
  roles.receive(nodeId(2), request(3));
  assert.deepEqual(answered, [1, 2, 3]);
});
