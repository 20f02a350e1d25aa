/**
 * A cluster in virtual time from one seed, attacked: delays, cuts, lost sessions, nodes killed, restarted and stopped,
 * wrong verdicts of the membership, kills and many requests at once. GODWIT_SEEDS=n runs n seeds instead of
 * 2000, GODWIT_SEED=s replays one.
 */
import { test } from 'node:test';
import { chaos } from './testing/chaos.ts';

const replay = process.env['GODWIT_SEED'];
const seeds = replay === undefined ? Number(process.env['GODWIT_SEEDS'] ?? 2000) : 1;

test('whatever breaks, no process runs twice, is lost without cause or sees it', () => {
  const totals = new Map<string, number>();
  for (let i = 0; i < seeds; i++) {
    const seed = replay === undefined ? i + 1 : Number(replay);
    try {
      for (const [what, times] of chaos(seed)) totals.set(what, (totals.get(what) ?? 0) + times);
    } catch (error) {
      throw new Error(`GODWIT_SEED=${seed} replays this`, { cause: error });
    }
  }
  if (process.env['GODWIT_SEEDS'] !== undefined) console.log(Object.fromEntries(totals));
});
