/** Every fault before every event of a move: see testing/everypoint.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/virtual.ts';
import { FAULTS, PLACES, life } from './testing/everypoint.ts';

const { GODWIT_SEED: wanted, GODWIT_SEEDS: manySeeds, GODWIT_LIVES: lives } = process.env;
const first = Number(wanted ?? 1);
/** More seeds are more programs: the move meets the process in other steps. */
const seeds = Number(lives ?? 2);

for (const places of PLACES) {
  test(`a fault at every point of a move, home ${places.home}, ${places.source} to ${places.target}`, (t) => {
    let points = 0;
    for (let seed = first; seed < first + seeds; seed++) {
      for (const fault of FAULTS) {
        let at = 0;
        try {
          // Every other program ends in the middle of it.
          while (life(places, [{ fault, at }], seed, seed % 2 === 0 ? 3 : 100) > 0) at++;
        } catch (error) {
          throw new Error(`${fault.name}, before event ${at}, seed ${seed}`, { cause: error });
        }
        assert(at > 5, `only ${at} events in a move`);
        points += at;
      }
    }
    t.diagnostic(`${points} faults in turn`);
  });
}

test('several faults during one move', (t) => {
  const count = Number(manySeeds ?? (wanted === undefined ? 4000 : 1));
  for (let i = 0; i < count; i++) {
    const seed = first + i;
    const random = new SeededRandom(seed);
    const places = random.pick(PLACES);
    const blows = Array.from({ length: 2 + random.below(3) }, () => ({
      fault: random.pick(FAULTS),
      at: random.below(60),
    }));
    try {
      life(places, blows, seed, random.pick([1, 4, 10, 100]));
    } catch (error) {
      throw new Error(`GODWIT_SEED=${seed} replays this`, { cause: error });
    }
  }
  t.diagnostic(`${count} moves with several faults`);
});
