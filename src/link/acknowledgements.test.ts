import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { makePid, moveId, type NodeId, nodeId } from '../base/ids.ts';
import { TIMING } from '../base/timing.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import { Links } from './links.ts';
import { VirtualNetwork } from './testing/network.ts';

const A = nodeId(1);
const B = nodeId(2);

function linked(): { clock: VirtualClock; near: Links } {
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock, new SeededRandom(1));
  const start = (node: NodeId): Links => {
    const host = network.host(node);
    const self = { cluster: 'test', node, boot: 1n, build: 'test', capabilities: [], required: [] };
    const config = { self, clock: host.clock, random: network.random, log: silentLog, dialer: host.dialer };
    const links = new Links({ ...config, admit: () => null }, { onFrame() {}, onPeer() {} });
    host.listen(`node${node}`, (transport) => links.accept(transport));
    return links;
  };
  const [near, far] = [start(A), start(B)];
  near.add(B, 'node2');
  far.add(A, 'node1');
  assert.ok(clock.runUntil(() => near.isUp(B) && far.isUp(A), 60_000));
  // What the greeting has left to acknowledge.
  clock.advance(2 * TIMING.ackDelayMs);
  return { clock, near };
}

/** @returns the milliseconds until it is known that a piece of memory has arrived. @param behind sent right behind it */
function untilFree({ clock, near }: ReturnType<typeof linked>, behind: (links: Links) => void): number {
  const payload = new Uint8Array(new SharedArrayBuffer(8192));
  near.sendBulk(B, { frame: 'module_chunk', module: new Uint8Array(32), total: 1n, offset: 0n, payload });
  behind(near);
  const begin = clock.now();
  let free = false;
  near.whenAcknowledged(new Set([payload.buffer]), () => (free = true));
  assert.ok(clock.runUntil(() => free, 60_000));
  return clock.now() - begin;
}

test('an acknowledgement waits for a frame to ride on, but not behind the end of an image', () => {
  const world = linked();
  assert.ok(untilFree(world, () => {}) >= TIMING.ackDelayMs);
  const end = { frame: 'image_end', pid: makePid(A, 1), move: moveId(1), digest: new Uint8Array(32) } as const;
  assert.ok(untilFree(world, (links) => links.send(B, end)) < TIMING.ackDelayMs / 2);
});
