/** Every fault before every event of a move: see testing/everypoint.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/virtual.ts';
import { FAULTS, PLACES, life } from './testing/everypoint.ts';

/** More seeds are more programs: the move meets the process in other steps. */
const seeds = Number(process.env['GODWIT_LIVES'] ?? 2);

for (const places of PLACES) {
  test(`a fault at every point of a move, home ${places.home}, ${places.source} to ${places.target}`, () => {
    for (let seed = 1; seed <= seeds; seed++) {
      for (const fault of FAULTS) {
        let at = 0;
        try {
          // Every other program ends in the middle of it.
          while (life(places, [{ fault, at }], seed, seed % 2 === 0 ? 3 : 100) > 0) at++;
        } catch (error) {
          throw new Error(`${fault.name}, before event ${at}, seed ${seed}`, { cause: error });
        }
        assert(at > 5, `only ${at} events in a move`);
      }
    }
  });
}

test('several faults during one move', () => {
  const replay = process.env['GODWIT_SEED'];
  const count = replay === undefined ? Number(process.env['GODWIT_SEEDS'] ?? 4000) : 1;
  for (let i = 0; i < count; i++) {
    const seed = replay === undefined ? i + 1 : Number(replay);
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
});
