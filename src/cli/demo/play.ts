/**
 * The demonstration itself: runs each job unmoved and, again and again until the time is over, moved; keeps every
 * output. Knows neither screen nor lab.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { AdminClient } from '../../admin/client.ts';
import { GodwitError } from '../../base/errors.ts';
import { duration } from '../format.ts';
import type { Job } from './jobs.ts';
import type { Finished, JobOutcome } from './outcome.ts';
import { Recorder } from './recorder.ts';
import type { Story } from './story.ts';

export interface PlayOptions {
  readonly jobs: readonly Job[];
  readonly programPath: (job: Job) => string;
  readonly connect: () => Promise<AdminClient>;
  /** A directory for the jobs' files; they leave nothing there. */
  readonly scratch: string;
  /** After this time nothing is moved any more, and no job is started that would not end within it. */
  readonly totalMs: number;
  /** Milliseconds since the start. */
  readonly elapsed: () => number;
  readonly story: Story;
}

/** @throws GodwitError if a job does not start or the cluster is lost */
export async function play(options: PlayOptions): Promise<readonly JobOutcome[]> {
  // All are awaited together, so that no failure is left without anyone who sees it.
  const [references, moved] = await Promise.all([
    unmoved(options),
    Promise.all(options.jobs.map((job) => again(job, options))),
  ]);
  return options.jobs.map(({ name }, i) => ({ job: name, reference: references[i]!, moved: moved[i]! }));
}

/** One after the other: the processors are for those that move. */
async function unmoved(options: PlayOptions): Promise<readonly Finished[]> {
  const runs: Finished[] = [];
  for (const job of options.jobs) runs.push(await runOnce(job, true, options));
  return runs;
}

/** How often a job is run at most until it has moved: on a machine with much else to do, a short one may end before. */
const ATTEMPTS = 5;

async function again(job: Job, options: PlayOptions): Promise<readonly Finished[]> {
  const runs: Finished[] = [];
  let took: number;
  let moves = 0;
  do {
    const start = options.elapsed();
    const run = await runOnce(job, false, options);
    took = options.elapsed() - start;
    moves += run.stats.moves;
    runs.push(run);
  } while (options.elapsed() + took < options.totalMs || (moves === 0 && runs.length < ATTEMPTS));
  return runs;
}

async function runOnce(job: Job, pinned: boolean, options: PlayOptions): Promise<Finished> {
  const { story, elapsed } = options;
  const directory = mkdtempSync(path.join(options.scratch, `${job.name}-`));
  const client = await options.connect();
  try {
    const recorder = new Recorder();
    const spec = {
      program: options.programPath(job),
      args: [job.name, ...job.args],
      env: [],
      cwd: directory,
      umask: process.umask(),
      dirs: [{ host: directory, guest: '.' }],
      listen: [],
      pin: pinned,
      detach: false,
      hopMicros: null,
      node: null,
    };
    const { pid, ended } = await client.run(spec, recorder.io());
    story.started(job.name, job.what, pid, pinned);
    const over = new AbortController();
    const steering = pinned ? Promise.resolve() : steer(pid, job, over.signal, options);
    // Together: when the node goes away both fail, and none of the two failures may be left without anyone who sees it.
    const [{ end, stats }] = await Promise.all([ended.finally(() => over.abort()), steering]);
    const output = recorder.output();
    const how = pinned ? 'without a move' : `after ${stats.moves} move${stats.moves === 1 ? '' : 's'}`;
    story.ended(pid, stats.moves, elapsed(), `${job.name} (${pid}) is done ${how}`);
    return { output, end, stats };
  } finally {
    client.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Between two moves a process stays for twice the time that the last one took: where many others want the processors,
 * moves are slow, and a program that does nothing but move would not end.
 */
const STAY = 2;
const LEAST_MOVES = 2;
/** From the start of a process to its first move. */
const FIRST_MS = 100;

/** Moves one process to every node in turn, as `godwit migrate` does, until it has ended or the time is over. */
async function steer(pid: number, job: Job, over: AbortSignal, options: PlayOptions): Promise<void> {
  const { elapsed, totalMs } = options;
  const client = await options.connect();
  try {
    let took = 0;
    for (let turn = 1; ; turn++) {
      await pause(turn === 1 ? FIRST_MS : Math.max(job.everyMs, STAY * took), over);
      // On a slow machine each program moves at least twice all the same.
      if (over.aborted || (turn > LEAST_MOVES && elapsed() > totalMs)) return;
      const nodes = await client.nodes();
      const target = nodes[turn % nodes.length];
      if (over.aborted || !target) return;
      const start = elapsed();
      if (!(await move(client, pid, target.name, job, options))) return;
      took = elapsed() - start;
    }
  } finally {
    client.close();
  }
}

/** @returns whether the process is still there */
async function move(
  client: AdminClient,
  pid: number,
  target: string,
  { told }: Job,
  { story, elapsed }: PlayOptions,
): Promise<boolean> {
  try {
    const { moved, freeze_ms } = await client.migrate(pid, target);
    if (moved && told) story.tell(elapsed(), `godwit migrate ${pid} ${target}: frozen for ${duration(freeze_ms)}`);
    return true;
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    // That the process ended meanwhile is no failure. Others are told; if it never moved, the result says so.
    if (error.code === 'unknown_process') return false;
    story.tell(elapsed(), `godwit migrate ${pid} ${target}: ${error.message}`);
    return true;
  }
}

/** Ends early when the signal does. */
function pause(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    over.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
