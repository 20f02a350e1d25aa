/**
 * How long properties over bytes of any kind are tried. `npm test` takes a few hundred cases of each, `npm run torture`
 * (test/torture/) many more, again and again: GODWIT_TIMES multiplies them, GODWIT_SEED says which they are.
 */
const TIMES = Number(process.env['GODWIT_TIMES'] ?? 1);
const SEED = process.env['GODWIT_SEED'];

export interface Fuzzed {
  readonly numRuns: number;
  readonly seed?: number;
}

/** @returns the parameters of fast-check for a property that is tried with `cases` cases in a usual run */
export function fuzzed(cases: number): Fuzzed {
  const numRuns = Math.ceil(cases * TIMES);
  // Counted by test/torture/.
  if (TIMES !== 1) console.log(`${numRuns} cases`);
  return SEED === undefined ? { numRuns } : { numRuns, seed: Number(SEED) };
}
