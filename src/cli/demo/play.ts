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
  /** No job is started again if it would not end within this time. */
  readonly totalMs: number;
  /** Between two moves by command. */
  readonly commandMs: number;
  /** Milliseconds since the start. */
  readonly elapsed: () => number;
  readonly story: Story;
}

/** @throws GodwitError if a job does not start or the cluster is lost */
export function play(options: PlayOptions): Promise<readonly JobOutcome[]> {
  return Promise.all(options.jobs.map((job) => lane(job, options)));
}

async function lane(job: Job, options: PlayOptions): Promise<JobOutcome> {
  const pinned = runOnce(job, true, options);
  const moved = again(job, options);
  // Both are awaited together, so that neither's failure is left without anyone who sees it.
  const [reference, runs] = await Promise.all([pinned, moved]);
  return { job: job.name, reference, moved: runs };
}

async function again(job: Job, options: PlayOptions): Promise<readonly Finished[]> {
  const runs: Finished[] = [];
  let took: number;
  do {
    const start = options.elapsed();
    runs.push(await runOnce(job, false, options));
    took = options.elapsed() - start;
  } while (options.elapsed() + took < options.totalMs);
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
      dirs: [{ host: directory, guest: '.' }],
      listen: [],
      pin: pinned,
      detach: false,
      hopMicros: !pinned && job.moved.by === 'hop' ? job.moved.micros : null,
      node: null,
    };
    const { pid, ended } = await client.run(spec, recorder.io());
    story.started(job.name, job.what, pid, pinned);
    const over = new AbortController();
    const steering = !pinned && job.moved.by === 'command' ? steer(pid, over.signal, options) : Promise.resolve();
    const { end, stats } = await ended.finally(() => over.abort());
    await steering;
    const output = recorder.output();
    story.ended(pid, elapsed(), `${job.name} (${pid}) is done${pinned ? ', unmoved' : ` after ${stats.moves} moves`}`);
    return { output, end, stats };
  } finally {
    client.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Moves one process by command to every node in turn, as `godwit migrate` does, until it has ended. */
async function steer(pid: number, over: AbortSignal, options: PlayOptions): Promise<void> {
  const { story, elapsed } = options;
  const client = await options.connect();
  try {
    for (let turn = 1; ; turn++) {
      await pause(options.commandMs, over);
      const nodes = await client.nodes();
      const target = nodes[turn % nodes.length];
      if (over.aborted || !target) return;
      const { moved, freeze_ms } = await client.migrate(pid, target.name);
      if (moved) story.tell(elapsed(), `godwit migrate ${pid} ${target.name}: frozen for ${duration(freeze_ms)}`);
    }
  } catch (error) {
    // That the process ended meanwhile is no failure. Others are told here and seen in the result: it did not move.
    if (!(error instanceof GodwitError)) throw error;
    if (!over.aborted) story.tell(elapsed(), `godwit migrate ${pid}: ${error.message}`);
  } finally {
    client.close();
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
