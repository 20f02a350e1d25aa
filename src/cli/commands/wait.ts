/** `godwit wait` */
import { parsePid } from '../arguments.ts';
import type { Command } from '../command.ts';
import { withNode } from '../context.ts';
import { patiently } from '../patience.ts';
import { endMessage, exitStatus } from '../format.ts';

export const wait: Command = {
  name: 'wait',
  arguments: 'PID',
  argumentCount: [1, 1],
  summary: 'wait for the end of a process',
  options: [],
  examples: [['godwit wait 65537', 'the process that "godwit run --detach" started']],
  hasProgramStatus: true,
  exits: [
    ['its own', 'the status of the process; 128+N after signal N'],
    ['125', 'Godwit failed, or knows no such process'],
  ],
  async run(invocation, context) {
    const pid = parsePid(invocation.args[0] ?? '');
    const end = await withNode(context, (node) => patiently(context, node, pid, node.wait(pid)));
    const message = endMessage(end);
    if (message !== null) context.err(`godwit: ${pid}: ${message}`);
    return exitStatus(end);
  },
};
