/** `godwit down` */
import type { Command } from '../command.ts';
import { withNode } from '../context.ts';

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
    });
    return 0;
  },
};
