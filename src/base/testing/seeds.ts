/** Simulations by seed. */
import type { TestContext } from 'node:test';

/**
 * Runs a storm for each seed from GODWIT_SEED (or 1) on, GODWIT_SEEDS of them. The error of one that fails names its seed.
 * @param usual how many without GODWIT_SEEDS
 */
export function storms(t: TestContext, usual: number, storm: (seed: number) => void): void {
  const first = Number(process.env['GODWIT_SEED'] ?? 1);
  const count = Number(process.env['GODWIT_SEEDS'] ?? usual);
  for (let seed = first; seed < first + count; seed++) {
    try {
      storm(seed);
    } catch (error) {
      throw new Error(`GODWIT_SEED=${seed}`, { cause: error });
    }
  }
  // Counted by test/torture/.
  t.diagnostic(`${count} storms`);
}
