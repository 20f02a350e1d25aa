/** The demonstration's result: every run against the unmoved one. */
import type { ProcessEnd, RunStats } from '../../node/daemon.ts';
import { duration, endMessage, exitStatus } from '../format.ts';

/** One finished run. */
export interface Finished {
  readonly output: Buffer;
  readonly end: ProcessEnd;
  readonly stats: RunStats;
}

export interface JobOutcome {
  readonly job: string;
  readonly reference: Finished;
  readonly moved: readonly Finished[];
}

/** @returns why they differ, or null if exit status and output are the same, byte for byte */
export function difference(reference: Finished, moved: Finished): string | null {
  const [wanted, got] = [exitStatus(reference.end), exitStatus(moved.end)];
  if (wanted !== got) return `it ended with ${got} instead of ${wanted}${suffix(endMessage(moved.end))}`;
  if (reference.output.equals(moved.output)) return null;
  const length = Math.min(reference.output.length, moved.output.length);
  let at = 0;
  while (at < length && reference.output[at] === moved.output[at]) at++;
  return `its output differs at byte ${at} of ${reference.output.length}`;
}

const suffix = (message: string | null): string => (message === null ? '' : ` (${message})`);

/** The middle one, or null if there is none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** @returns lines for people, and whether all was equal and everything that was to move has moved */
export function summary(outcomes: readonly JobOutcome[]): {
  readonly lines: readonly string[];
  readonly equal: boolean;
} {
  const lines: string[] = [];
  const freezes: number[] = [];
  let problems = 0;
  let runs = 0;
  let moves = 0;
  for (const { job, reference, moved } of outcomes) {
    const failures = moved.map((run) => difference(reference, run)).filter((reason) => reason !== null);
    const made = moved.reduce((sum, { stats }) => sum + stats.moves, 0);
    if (made === 0) failures.push('it was never moved');
    if (reference.end.how !== 'exited' || reference.end.code !== 0) failures.push('the unmoved run failed');
    if (reference.stats.moves !== 0) failures.push('the pinned run was moved');
    const verdict =
      failures.length === 0
        ? `output identical (${reference.output.length} bytes)`
        : `NOT EQUAL: ${failures.join('; ')}`;
    lines.push(`${job.padEnd(8)} ${count(moved.length, 'run')}, ${count(made, 'move')}: ${verdict}`);
    problems += failures.length;
    runs += moved.length;
    moves += made;
    freezes.push(...moved.flatMap(({ stats }) => stats.freeze_ms));
  }
  const middle = median(freezes);
  if (middle !== null) {
    lines.push(
      `a move froze its program for ${duration(middle)} in the median, ${duration(Math.max(...freezes))} at worst`,
    );
  }
  const equal = problems === 0 && runs > 0;
  lines.push(
    equal
      ? `Equal: ${count(moves, 'move')}, and all ${count(runs, 'output')} are byte for byte those of the unmoved runs.`
      : `${count(problems, 'problem')}: this is a bug of Godwit, please report it with the lines above.`,
  );
  return { lines, equal };
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
