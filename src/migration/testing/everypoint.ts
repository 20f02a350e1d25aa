/**
 * One move, and one fault just before each of its events in turn: not at random but all of them. A move is that of a
 * process with home H from S to D; the three ways in which two of them can be one node are all tried.
 */
import assert from 'node:assert/strict';
import type { Pid } from '../../base/ids.ts';
import { SeededRandom } from '../../base/virtual.ts';
import { calm } from './chaos.ts';
import type { SimNode } from './node.ts';
import { randomProgram } from './program.ts';
import { World } from './world.ts';

export interface Places {
  readonly home: number;
  readonly source: number;
  readonly target: number;
}

export const PLACES: readonly Places[] = [
  { home: 1, source: 1, target: 2 },
  { home: 1, source: 2, target: 1 },
  { home: 1, source: 2, target: 3 },
];

export interface Fault {
  readonly name: string;
  /** @returns whether the process may be lost by it */
  strike(world: World, pid: Pid, places: Places): boolean;
}

const ROLES = ['home', 'source', 'target'] as const;
type Role = (typeof ROLES)[number];

/**
 * Is this node, at this moment, the only one that has all of the process, so that it goes with the node?
 * @param forgets the others learn at once that the node is a new one: what it has sent may not arrive any more
 */
function holdsAll(world: World, pid: Pid, places: Places, role: Role, forgets: boolean): boolean {
  const node = world.node(places[role]);
  if (places[role] === places.home) return true;
  if (role === 'source' && forgets) {
    const image = world.node(places.target).reservations.get(pid);
    if (image) return image.received < image.program.bytes;
  }
  const guest = node.guests.get(pid);
  if (role === 'target') return guest !== undefined && guest.phase !== 'starting';
  const held = node.roles.guests.get(pid);
  const sent = held?.phase.name === 'frozen' && held.phase.transfer.image === null;
  return held !== undefined && !sent;
}

function onNode(
  name: string,
  mayLose: 'never' | 'held' | 'sent' | 'always',
  strike: (world: World, node: SimNode) => void,
): Fault[] {
  return ROLES.map((role) => ({
    name: `${role} ${name}`,
    strike(world, pid, places) {
      const all = holdsAll(world, pid, places, role, mayLose === 'sent');
      strike(world, world.node(places[role]));
      return mayLose === 'always' || (mayLose !== 'never' && all);
    },
  }));
}

function onPair(name: string, mayLose: boolean, strike: (world: World, a: SimNode, b: SimNode) => void): Fault[] {
  return ROLES.map((role) => ({
    name: `${role}’s other pair: ${name}`,
    strike(world, _pid, places) {
      const [a, b] = ROLES.filter((other) => other !== role).map((other) => world.node(places[other])) as [
        SimNode,
        SimNode,
      ];
      if (a !== b) strike(world, a, b);
      return mayLose;
    },
  }));
}

export const FAULTS: readonly Fault[] = [
  ...onNode('is killed', 'held', (_world, node) => node.kill()),
  ...onNode('restarts at once', 'sent', (world, node) => {
    node.kill();
    world.boot(node.id);
  }),
  ...onNode('restarts after a minute', 'held', (world, node) => {
    node.kill();
    world.clock.after(60_000, () => world.boot(node.id));
  }),
  ...onNode('stops for 8 s', 'never', (world, node) => {
    node.pause();
    world.clock.after(8_000, () => node.goOn());
  }),
  ...onNode('stops for 90 s', 'always', (world, node) => {
    node.pause();
    world.clock.after(90_000, () => node.goOn());
  }),
  ...onPair('session lost', false, (world, a, b) => world.network.loseSession(a.id, b.id)),
  ...onPair('cut for 8 s', false, (world, a, b) => {
    world.network.cut(a.id, b.id);
    world.clock.after(8_000, () => world.network.heal(a.id, b.id));
  }),
  ...onPair('cut for 90 s', true, (world, a, b) => {
    world.network.cut(a.id, b.id);
    world.clock.after(90_000, () => world.network.heal(a.id, b.id));
  }),
  ...onPair('one gives the other up', true, (world, a, b) => world.network.declareDown(a.id, b.id)),
  ...onPair('the other gives the one up', true, (world, a, b) => world.network.declareDown(b.id, a.id)),
  {
    name: 'the process is killed',
    strike(world, pid) {
      world.kill(pid);
      return true;
    },
  },
];

/** A fault and the number of the event of the move before which it strikes. */
export interface Blow {
  readonly fault: Fault;
  readonly at: number;
}

/**
 * One life, one move, and faults on the way.
 * @param steps how many each thread still has at most before the program ends when the move begins
 * @returns how many of the faults struck: those for which the move was over by then did not
 */
export function life(places: Places, blows: readonly Blow[], seed: number, steps = 100): number {
  const random = new SeededRandom(seed);
  const world = new World(random.next());
  world.moody = false;
  world.stepMs = 20;
  for (const id of [1, 2, 3]) world.boot(id);
  const home = world.node(places.home);
  const program = randomProgram(random, 150);
  const pid = world.spawn(home, program);
  // It is away already where it is to start from another node.
  const before = world.migrate(home, pid, world.node(places.source).id);
  assert(world.clock.runUntil(() => before.answers.length > 0, 5_000));
  const { threads } = world.node(places.source).guest(pid);
  // Of a thread that has fewer left, all are left.
  for (const [seat, list] of program.threads.entries()) {
    list.length = Math.min(list.length, (threads[seat]?.state.position ?? 0) + steps);
  }
  const asked = world.migrate(home, pid, world.node(places.target).id);
  let events = 0;
  let struck = 0;
  let mayLose = false;
  // A little beyond the answer, so that the last orders are met too.
  let left = 25;
  world.onEvent = () => {
    if (asked.answers.length > 0) left--;
    const now = events++;
    if (left <= 0) return;
    for (const { fault, at } of blows) {
      if (at !== now) continue;
      struck++;
      // With several faults only the general rules of testing/world.ts are checked.
      mayLose = fault.strike(world, pid, places) || blows.length > 1;
    }
  };
  world.clock.advance(100_000);
  world.onEvent = () => {};
  calm(world);
  const { end } = world.process(pid);
  assert(end === null || end.cause === 'exit' || mayLose, `the process ends by ${end?.cause}`);
  return struck;
}
