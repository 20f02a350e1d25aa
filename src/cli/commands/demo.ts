/** `godwit demo`: what `npm start` runs. */
import os from 'node:os';
import { connectAdmin } from '../../admin/client.ts';
import { GodwitError } from '../../base/errors.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { JOBS, programPath } from '../demo/jobs.ts';
import { summary } from '../demo/outcome.ts';
import { play } from '../demo/play.ts';
import { liveShow, plainShow, watch } from '../demo/show.ts';
import { Story } from '../demo/story.ts';
import { duration } from '../format.ts';
import type { Lab } from '../lab/lab.ts';
import { type Ending, withLab } from './lab.ts';

const NODES = 3;
const TOTAL = 20_000;
/** When something must be wrong: far more than the slowest machine needs. */
const LIMIT = 10 * 60_000;

export const demo: Command = {
  name: 'demo',
  arguments: '',
  argumentCount: [0, 0],
  nodeless: true,
  summary: 'watch programs move among three nodes while they run',
  details: [
    'Starts three nodes on this machine, runs several programs that move from node to node while they compute or work on files, and compares every output with that of a run that stayed where it was. Takes about 20 seconds.',
  ],
  options: [],
  examples: [['godwit demo', 'also what "npm start" does']],
  exits: [['1', 'an output differs']],
  async run(_invocation, context) {
    const start = performance.now();
    const elapsed = (): number => performance.now() - start;
    const story = new Story();
    const losses: string[] = [];
    // Not at once: it would smear the picture.
    const lost = (text: string): void => {
      losses.push(text);
      story.tell(elapsed(), text);
    };
    try {
      return await withLab(NODES, context.env, lost, (lab, ended) => perform(lab, ended, story, elapsed, context));
    } finally {
      for (const text of losses) context.err(`godwit: lab: ${text}`);
    }
  },
};

async function perform(
  lab: Lab,
  ended: Ending,
  story: Story,
  elapsed: () => number,
  context: Context,
): Promise<number> {
  const connect = (): ReturnType<typeof connectAdmin> => connectAdmin(lab.socketPath);
  const { stdout } = process;
  const show = stdout.isTTY ? liveShow(story, TOTAL, stdout) : plainShow(story, context.out);
  context.out(`${NODES} nodes are up: ${lab.nodes.map(({ name, pid }) => `${name} (process ${pid})`).join(', ')}`);
  const playing = play({
    jobs: JOBS,
    programPath,
    connect,
    scratch: lab.directory,
    totalMs: TOTAL,
    elapsed,
    story,
  });
  const watching = watch(story, show, await connect(), elapsed, playing);
  // When a signal ends the demonstration, both of these fail later, with nobody there to see it.
  for (const promise of [playing, watching]) promise.catch(() => {});
  try {
    const over = await Promise.race([Promise.all([playing, watching]), ended, expired(LIMIT)]);
    if (typeof over === 'string') return 128 + os.constants.signals[over];
    const { lines, equal } = summary(over[0]);
    show.close();
    context.out('');
    for (const line of lines) context.out(line);
    context.out(`(${duration(elapsed())})`);
    return equal ? 0 : 1;
  } finally {
    show.close();
  }
}

async function expired(ms: number): Promise<never> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
  throw new GodwitError('internal', `the demonstration did not end within ${duration(ms)}`);
}
