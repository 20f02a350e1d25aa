/**
 * A cluster in virtual time from one seed, attacked: delays, cuts, lost sessions, nodes killed, restarted and stopped,
 * wrong verdicts of the membership, kills and many requests at once. GODWIT_SEEDS=n runs n seeds instead of
 * 2000, GODWIT_SEED=s begins with s and runs one, or as many as GODWIT_SEEDS says.
 */
import { test } from 'node:test';
import { chaos } from './testing/chaos.ts';

const { GODWIT_SEED: first, GODWIT_SEEDS: wanted } = process.env;
const seeds = Number(wanted ?? (first === undefined ? 2000 : 1));

test('whatever breaks, no process runs twice, is lost without cause or sees it', (t) => {
  const totals = new Map<string, number>();
  for (let i = 0; i < seeds; i++) {
    const seed = Number(first ?? 1) + i;
    try {
      for (const [what, times] of chaos(seed)) totals.set(what, (totals.get(what) ?? 0) + times);
    } catch (error) {
      throw new Error(`GODWIT_SEED=${seed} replays this`, { cause: error });
    }
  }
  t.diagnostic(`${seeds} seeds`);
  t.diagnostic(`${totals.get('moved') ?? 0} moves`);
  if (wanted !== undefined) t.diagnostic(JSON.stringify(Object.fromEntries(totals)));
});
