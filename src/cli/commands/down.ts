/** `godwit down` */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '../command.ts';
import { withNode } from '../context.ts';

/** Milliseconds that the process of a node may take to end after its socket is gone; and between two looks at it. */
const ENDING = { most: 5000, look: 10 };

/** Its state directory can then be unmounted or taken away. A process that nobody reaps is not waited for forever. */
async function processGone(pid: number): Promise<void> {
  for (let waited = 0; waited < ENDING.most && isThere(pid); waited += ENDING.look) await sleep(ENDING.look);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export const down: Command = {
  name: 'down',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'end the node on this machine',
  details: [
    'Programs of other nodes go back to these first; those that were started here end. The node stays a member of its cluster and can come back with "godwit up". Returns when it is down.',
  ],
  options: [],
  examples: [['godwit down', 'end the node that "godwit up" started']],
  async run(_invocation, context) {
    await withNode(context, async (node) => {
      await node.shutdown();
      // The socket goes away last: whoever comes next finds nothing of this node.
      await node.ended;
      if (node.endingProcess !== null) await processGone(node.endingProcess);
    });
    return 0;
  },
};
