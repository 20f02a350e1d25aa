/** Chunks of an image are views of a guest's memory: nobody else's bytes may get into them, however long they wait. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalNamed } from '../../abi/signals.ts';
import { silentLog } from '../../base/env.ts';
import { nodeId, type NodeId } from '../../base/ids.ts';
import { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import type { Process } from '../../kernel/process.ts';
import type { PeerFrame } from '../../link/frames.ts';
import { Links } from '../../link/links.ts';
import { VirtualNetwork } from '../../link/testing/network.ts';
import type { Message } from '../../migration/hosts.ts';
import type { NodeCore, ProcessFrame } from '../core.ts';
import { endless, newCore, SELF, spawn } from '../testing/cores.ts';

const OTHER = nodeId(2);

function linksOf(network: VirtualNetwork, node: NodeId, onFrame: (frame: PeerFrame) => void): Links {
  const host = network.host(node);
  const links = new Links(
    {
      self: { cluster: 'test', node, boot: BigInt(node), build: 'test', capabilities: [], required: [] },
      clock: host.clock,
      random: network.random,
      log: silentLog,
      dialer: host.dialer,
      admit: () => null,
    },
    { onFrame: (_peer, frame) => onFrame(frame), onPeer() {} },
  );
  host.listen(`node${node}`, (transport) => links.accept(transport));
  return links;
}

function setUp(t: TestContext) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock, new SeededRandom(1));
  const sent = new Set<string>();
  const near = linksOf(network, SELF, (frame) => {
    core.receive(OTHER, frame as ProcessFrame);
    heard.add(frame.frame);
  });
  /** What either has heard from the other. */
  const heard = new Set<string>();
  /** What node 2 has got of images: how often each byte occurs. Numbers and digests in them have any, a few times. */
  const received = new Uint32Array(256);
  const far = linksOf(network, OTHER, (frame) => {
    heard.add(frame.frame);
    if (frame.frame === 'prepare') far.send(SELF, { frame: 'reserved', pid: frame.pid, move: frame.move });
    if (frame.frame === 'image_chunk') for (const byte of frame.payload) received[byte]!++;
  });
  const core: NodeCore = newCore({
    network: {
      self: SELF,
      send(to: NodeId, message: Message) {
        sent.add(message.frame);
        if (message.frame === 'image_chunk') near.sendBulk(to, message);
        else near.send(to, message);
      },
      hasRoom: (to) => near.room(to),
    },
    whenAcknowledged: (memory, then) => near.whenAcknowledged(memory, then),
    clock,
  });
  near.add(OTHER, 'node2');
  far.add(SELF, 'node1');
  const untilHeard = (frame: string): void => assert.ok(clock.runUntil(() => heard.has(frame), 60_000));
  /** What workers do takes real time, in which none passes for the network and for home. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await sleep(1);
  };
  /** A process whose memory is full of this byte. */
  const start = async (content: number): Promise<[Process, WebAssembly.Memory]> => {
    const process = spawn(core);
    await core.start(process, endless);
    const memory = core.guests.session(process.pid)?.guest.memory;
    assert(memory);
    new Uint8Array(memory.buffer).fill(content);
    return [process, memory];
  };
  const kill = async (process: Process): Promise<void> => {
    const session = core.guests.session(process.pid);
    core.home.kernel.processes.signal(process, signalNamed('KILL'));
    await until(() => core.guests.size === 0);
    await session?.end();
  };
  t.after(() => core.close());
  return { clock, network, near, core, sent, heard, received, until, untilHeard, start, kill };
}

/** A process is killed whose image waits for a connection. @returns its memory */
async function killedUnderWay(world: ReturnType<typeof setUp>): Promise<WebAssembly.Memory> {
  const { clock, network, near, core, sent, until, untilHeard, start, kill } = world;
  assert.ok(clock.runUntil(() => near.isUp(OTHER), 60_000));
  const [process, memory] = await start(0x11);
  core.receive(OTHER, { frame: 'request', ticket: 5, pid: process.pid, target: OTHER });
  untilHeard('reserved');
  network.part(SELF, OTHER);
  await until(() => sent.has('image_end'));
  await kill(process);
  return memory;
}

test('memory of which chunks wait for a connection becomes nobody else’s before they have arrived', async (t) => {
  const world = setUp(t);
  const { clock, network, near, heard, received, untilHeard, start } = world;
  const first = await killedUnderWay(world);
  const [, memory] = await start(0x22);
  assert.ok(!heard.has('image_end'));
  network.heal(SELF, OTHER);
  untilHeard('image_end');
  assert.ok(received[0x11]! >= 65_536 && received[0x22]! < 100);
  assert.notEqual(memory, first);
  let acknowledged = false;
  near.whenAcknowledged(new Set([first.buffer]), () => (acknowledged = true));
  assert.ok(clock.runUntil(() => acknowledged, 60_000));
  const [, again] = await start(0x33);
  assert.equal(again, first, 'now it can be');
});

test('nor ever, if their session is lost', async (t) => {
  const world = setUp(t);
  const { near, start } = world;
  const first = await killedUnderWay(world);
  near.get(OTHER)?.reset('a test wants it');
  const [, memory] = await start(0x22);
  assert.notEqual(memory, first);
});
