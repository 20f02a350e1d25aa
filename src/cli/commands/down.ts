/** `godwit down` */
import type { Command } from '../command.ts';
import { withNode } from '../context.ts';

export const down: Command = {
  name: 'down',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'end the node on this machine',
  details: ['The node leaves the cluster in order; processes that it is home to end. Returns when it is down.'],
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
