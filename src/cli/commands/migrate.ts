/** `godwit migrate` */
import { parsePid } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { withNode } from '../context.ts';
import { patiently } from '../patience.ts';
import { byteSize, duration } from '../format.ts';

export const migrate: Command = {
  name: 'migrate',
  arguments: 'PID NODE|home',
  argumentCount: [2, 2],
  summary: 'move a process to another node, or home',
  details: ['Waits for the end of the move. If the process cannot move, says why; it runs on where it was.'],
  options: [JSON_OPTION],
  examples: [
    ['godwit migrate 65537 node2', 'to the node with this name or id'],
    ['godwit migrate 65537 home', 'back to where it was started'],
  ],
  exits: [['1', 'it did not move']],
  async run(invocation, context) {
    const [pidText = '', target = ''] = invocation.args;
    const pid = parsePid(pidText);
    const result = await withNode(context, (node) => patiently(context, node, pid, node.migrate(pid, target)));
    if (invocation.flag('json')) {
      context.out(JSON.stringify({ pid, ...result }, null, 2));
    } else if (result.moved) {
      const { name, freeze_ms, total_ms, image_bytes } = result;
      context.out(
        `${pid} runs on ${name}: frozen for ${duration(freeze_ms)}, moved in ${duration(total_ms)}, image ${byteSize(image_bytes)}`,
      );
    } else {
      context.out(`${pid} runs on ${result.name} already`);
    }
    return 0;
  },
};
