/**
 * How fast a program runs on that was captured in the middle of its loops. V8 begins with its baseline code and does not
 * replace what runs; a node therefore refreshes what has just arrived (src/node/guests/refresh.ts).
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { REFRESH_MS } from '../src/node/guests/refresh.ts';
import { GUEST_OPTIONS } from '../src/node/v8.ts';
import type { Benchmark, Context, Row } from './benchmark.ts';
import type { HotJob, HotTimes } from './engine/hot.ts';
import { KERNELS } from './kernels.ts';
import type { Kernel } from './kernels.ts';
import { geometricMean, median } from './statistics.ts';

/** When the longer runs are captured. */
const LONG_AFTER_MS = 100;

export const hotloop: Benchmark = {
  name: 'hotloop',
  operands: '[KERNEL...]',
  summary: 'running on after a move in the middle of a loop, refreshed and not',
  limit: 1200,
  columns: [
    { key: 'name', meaning: 'kernel; the last row has geometric means' },
    {
      key: 'rest_ms',
      digits: 1,
      meaning: 'CPU time that the rest takes if it is not captured: about three quarters of it',
    },
    {
      key: 'resumed_ms',
      digits: 1,
      meaning: 'CPU time of that rest in another instance, refreshed as a node does: median',
    },
    { key: 'ratio', digits: 3, meaning: 'resumed_ms by rest_ms, the slow beginning included: median' },
    { key: 'lost_ms', digits: 1, meaning: 'what the slow beginning and optimising cost altogether: median' },
    { key: 'unrefreshed_ratio', digits: 3, meaning: 'the same ratio without a refresh' },
    {
      key: 'after_ratio',
      digits: 3,
      meaning: 'what comes later than half a second after the move, by the same uncaptured: median',
    },
  ],
  async *run(context) {
    const rows: Row[] = [];
    for (const kernel of KERNELS) {
      if (context.operands.length > 0 && !context.operands.includes(kernel.name)) continue;
      const row = await compare(kernel, context);
      if (row === null) continue;
      rows.push(row);
      yield row;
    }
    if (rows.length > 1) yield meanRow(rows);
  },
};

async function compare(kernel: Kernel, context: Context): Promise<Row | null> {
  const { rounds, signal } = context;
  const { path: module } = await kernel.load();
  const [args = [], shorter = [], longer = []] = [kernel.full, ...kernel.long].map((text) => text.split(' '));
  const refreshed: Rest[] = [];
  const unrefreshed: Rest[] = [];
  const after: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const refresh of [REFRESH_MS, []]) {
      const rest = restOf(await inProcess({ module, args, warm: args, at: { part: 0.25 }, refresh }, signal));
      if (rest !== null) (refresh.length > 0 ? refreshed : unrefreshed).push(rest);
    }
    if (context.tiny) continue;
    // Both begin with the same slow half second, so what one takes longer than the other is all behind it.
    const job = { module, warm: shorter, at: { ms: LONG_AFTER_MS }, refresh: REFRESH_MS };
    const short = restOf(await inProcess({ ...job, args: shorter }, signal));
    const long = restOf(await inProcess({ ...job, args: longer }, signal));
    if (short !== null && long !== null) after.push((long.resumed - short.resumed) / (long.rest - short.rest));
  }
  if (refreshed.length === 0 || unrefreshed.length === 0) {
    context.note(`${kernel.name}: was not captured in time`);
    return null;
  }
  const ratio = ({ rest, resumed }: Rest): number => resumed / rest;
  return {
    name: kernel.name,
    rest_ms: median(refreshed.map(({ rest }) => rest)),
    resumed_ms: median(refreshed.map(({ resumed }) => resumed)),
    ratio: median(refreshed.map(ratio)),
    lost_ms: median(refreshed.map(({ rest, resumed }) => resumed - rest)),
    unrefreshed_ratio: median(unrefreshed.map(ratio)),
    after_ratio: after.length > 0 ? median(after) : null,
  };
}

/** Milliseconds of CPU time that the part behind the capture takes: uncaptured, and captured. */
interface Rest {
  readonly rest: number;
  readonly resumed: number;
}

/** null if another run of the machine's delayed the capture past the end. */
function restOf({ whole, before, rest }: HotTimes): Rest | null {
  return rest === null || whole <= before ? null : { rest: whole - before, resumed: rest };
}

async function inProcess(job: HotJob, signal: AbortSignal): Promise<HotTimes> {
  signal.throwIfAborted();
  const hot = path.join(import.meta.dirname, 'engine', 'hot.ts');
  const child = spawn(process.execPath, ['--no-warnings', ...GUEST_OPTIONS, hot, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  return (await Promise.race([json(child.stdout), failed])) as HotTimes;
}

function meanRow(rows: readonly Row[]): Row {
  const mean = (key: string): number => geometricMean(rows.map((row) => Number(row[key])));
  return {
    name: 'geometric mean',
    rest_ms: null,
    resumed_ms: null,
    ratio: mean('ratio'),
    lost_ms: null,
    unrefreshed_ratio: mean('unrefreshed_ratio'),
    after_ratio: rows.some((row) => row['after_ratio'] === null) ? null : mean('after_ratio'),
  };
}
