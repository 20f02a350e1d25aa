/** Processes on one processor of the machine, all their threads: by `taskset` of util-linux, where that is. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Puts processes and what they start later on one processor, the last one that this process may use.
 * @returns takes that back; null: there is no `taskset` here
 */
export async function onOneProcessor(pids: readonly number[]): Promise<(() => Promise<void>) | null> {
  let allowed: string;
  try {
    allowed = await taskset('-p', '-c', String(process.pid));
  } catch {
    return null;
  }
  // "pid 17's current affinity list: 0-3,6"
  const list = /: (\S+)\s*$/.exec(allowed)?.[1] ?? '0';
  const last = /\d+$/.exec(list)?.[0] ?? '0';
  const put = async (processors: string): Promise<void> => {
    for (const pid of pids) await taskset('-a', '-p', '-c', processors, String(pid));
  };
  await put(last);
  return () => put(list);
}

async function taskset(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('taskset', args);
  return stdout;
}
