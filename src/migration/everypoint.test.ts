/** Every fault before every event of a move: see testing/everypoint.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, PLACES, life } from './testing/everypoint.ts';

/** More seeds are more programs: the move meets the process in other steps. */
const seeds = Number(process.env['GODWIT_LIVES'] ?? 1);

for (const places of PLACES) {
  test(`a fault at every point of a move, home ${places.home}, ${places.source} to ${places.target}`, () => {
    for (let seed = 1; seed <= seeds; seed++) {
      for (const fault of FAULTS) {
        let at = 0;
        try {
          while (life(places, fault, at, seed)) at++;
        } catch (error) {
          throw new Error(`${fault.name}, before event ${at}, seed ${seed}`, { cause: error });
        }
        assert(at > 20, `only ${at} events in a move`);
      }
    }
  });
}
