/** Tells people whom a command waits for, when an answer takes its time. */
import type { AdminClient } from '../admin/client.ts';
import { creatorOf, pid as asPid } from '../base/ids.ts';
import type { Context } from './context.ts';

/** When it is first looked whether the home answers: nobody wonders before. */
const FIRST_LOOK_MS = 2_000;
/** How often from then on, until it has been told: a wait may take days, and each look asks all nodes. */
const NEXT_LOOK_MS = 5_000;

/**
 * Waits for what the home of a process is to answer. If that node is unreachable meanwhile, a line on stderr says so,
 * once.
 * @param answer of `node`, about the process
 */
export async function patiently<T>(context: Context, node: AdminClient, pid: number, answer: Promise<T>): Promise<T> {
  let answered = false;
  const look = async (): Promise<void> => {
    try {
      const home = creatorOf(asPid(pid));
      const silent = (await node.nodes()).find(({ id, state }) => id === home && state === 'unreachable');
      if (answered) return;
      if (silent === undefined) timer = setTimeout(() => void look(), NEXT_LOOK_MS);
      else context.err(`godwit: node ${silent.name}, the home of ${pid}, does not answer at present; waiting for it`);
    } catch {
      // Of whatever is wrong with the connection or the pid, the answer tells.
    }
  };
  let timer = setTimeout(() => void look(), FIRST_LOOK_MS);
  try {
    return await answer;
  } finally {
    answered = true;
    clearTimeout(timer);
  }
}
