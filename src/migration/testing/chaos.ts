/** A random life of a random cluster. */
import { SeededRandom } from '../../base/virtual.ts';
import type { SimNode } from './node.ts';
import { randomProgram } from './program.ts';
import { World } from './world.ts';

const CHAOS_MS = 60_000;

type Fault = (world: World, random: SeededRandom, node: SimNode, other: SimNode) => void;

/** What happens how often. `node` lives; `other` is any other node that lives. */
const FAULTS: readonly { readonly weight: number; readonly fault: Fault }[] = [
  { weight: 60, fault: (world, random) => move(world, random) },
  {
    weight: 4,
    fault: (world, random, node) => {
      if (!node.paused) world.spawn(node, randomProgram(random, 3 + random.below(30)));
    },
  },
  {
    weight: 2,
    fault: (world, random, node) => {
      world.count('node killed');
      node.kill();
      if (random.oneIn(3)) return;
      world.clock.after(random.oneIn(2) ? random.below(2_000) : random.below(80_000), () => world.boot(node.id));
    },
  },
  {
    weight: 4,
    fault: (world, random, node) => {
      world.count('node stopped');
      node.pause();
      world.clock.after(random.oneIn(2) ? random.below(8_000) : random.below(90_000), () => node.goOn());
    },
  },
  {
    weight: 4,
    fault: (world, random, node, other) => {
      world.count('cut');
      world.network.cut(node.id, other.id);
      const ms = random.oneIn(2) ? random.below(8_000) : random.below(90_000);
      world.clock.after(ms, () => world.network.heal(node.id, other.id));
    },
  },
  {
    weight: 6,
    fault: (world, _random, node, other) => {
      world.count('session lost');
      world.network.loseSession(node.id, other.id);
    },
  },
  {
    weight: 2,
    fault: (world, _random, node, other) => {
      world.count('wrongly down');
      world.network.declareDown(node.id, other.id);
    },
  },
  {
    weight: 1,
    fault: (world, random) => {
      const pids = [...world.processes.keys()];
      if (pids.length > 0) world.kill(random.pick(pids));
    },
  },
  {
    weight: 4,
    fault: (world, random) => {
      const known = random.pick([...world.processes.values()]);
      const set = (stopped: boolean): void => known.home.run(() => known.home.roles.setStopped(known.pid, stopped));
      set(true);
      world.clock.after(random.below(5_000), () => set(false));
    },
  },
];

const TOTAL_WEIGHT = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

function move(world: World, random: SeededRandom): void {
  const { living } = world;
  const alive = [...world.processes.values()].filter(({ end }) => end === null);
  const known = alive.length > 0 ? random.pick(alive) : random.pick([...world.processes.values()]);
  world.migrate(random.oneIn(3) ? random.pick(living) : known.home, known.pid, random.pick(world.nodes).id);
}

function fault(world: World, random: SeededRandom): void {
  const { living } = world;
  const node = random.pick(living);
  const others = living.filter((other) => other !== node);
  if (others.length === 0) return;
  let at = random.below(TOTAL_WEIGHT);
  for (const { weight, fault } of FAULTS) {
    at -= weight;
    if (at >= 0) continue;
    fault(world, random, node, random.pick(others));
    return;
  }
}

/** @returns what happened how often @throws if anything of testing/world.ts does not hold */
export function chaos(seed: number): Map<string, number> {
  const random = new SeededRandom(seed);
  const world = new World(random.next());
  world.network.delayMs = random.pick([1, 20, 200, 2000]);
  world.stepMs = random.pick([50, 800]);
  world.network.wire = random.oneIn(10);
  const nodes = 3 + random.below(3);
  for (let id = 1; id <= nodes; id++) world.boot(id);
  const processes = 1 + random.below(3);
  for (let i = 0; i < processes; i++)
    world.spawn(random.pick(world.nodes), randomProgram(random, 20 + random.below(150)));
  const pace = random.pick([50, 300, 2000]);
  for (let at = 0; at < CHAOS_MS; at += random.below(2 * pace)) world.clock.after(at, () => fault(world, random));
  world.clock.advance(CHAOS_MS);
  calm(world);
  return world.counts;
}

/** Everything that lives can work and talk from now on; long enough for every program to end. */
export function calm(world: World): void {
  world.network.healAll();
  for (const node of world.nodes) node.goOn();
  world.clock.advance(600_000);
  world.checkEnd();
}
