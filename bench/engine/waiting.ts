/** How long a thread has waited for a processor, from Linux's /proc; on a busy machine that is most of what one measures. */
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread's number; 0 if the system does not say. */
export function threadNumber(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}

/**
 * Milliseconds that a thread of this process was ready to run and did not (Documentation/scheduler/sched-stats.rst). What
 * it waits just now is added when it runs.
 * @returns null if the system does not say
 */
export function waitedMs(thread: number): number | null {
  try {
    const [, delay] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ');
    return Number(delay) / 1e6;
  } catch {
    return null;
  }
}
