/** `godwit ps` */
import type { ProcessInfo } from '../../node/daemon.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { withNode } from '../context.ts';
import { type Column, byteSize, duration, table } from '../format.ts';

export const ps: Command = {
  name: 'ps',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'list the processes of the cluster',
  details: [
    'Processes are asked for at their homes. A node that does not answer at present is named on stderr: processes with their home there are missing in the list, wherever they run.',
  ],
  options: [JSON_OPTION],
  examples: [
    ['godwit ps', 'who runs where'],
    ['godwit ps --json', 'the same for programs: an array, one object a process'],
  ],
  async run(invocation, context) {
    // In this order: a node that falls silent while it is asked for its processes is known to be unreachable then.
    const [processes, nodes] = await withNode(context, async (node) => [await node.ps(), await node.nodes()] as const);
    for (const { name, state } of nodes) {
      if (state !== 'unreachable') continue;
      context.err(`godwit: node ${name} does not answer at present; processes with their home there are not shown`);
    }
    if (invocation.flag('json')) {
      context.out(JSON.stringify(processes, null, 2));
      return 0;
    }
    const names = new Map(nodes.map(({ id, name }) => [id, name]));
    for (const line of table(processColumns(names), processes, context.columns)) context.out(line);
    return 0;
  },
};

/** @param names of the nodes by id */
function processColumns(names: ReadonlyMap<number, string>): readonly Column<ProcessInfo>[] {
  const nodeName = (id: number): string => names.get(id) ?? String(id);
  return [
    { title: 'PID', right: true, text: ({ pid }) => String(pid) },
    { title: 'PPID', right: true, text: ({ ppid }) => String(ppid) },
    { title: 'HOME', text: ({ home }) => nodeName(home) },
    { title: 'NODE', text: ({ node }) => nodeName(node) },
    { title: 'STATE', text: ({ state }) => state },
    { title: 'THR', right: true, text: ({ threads }) => String(threads) },
    { title: 'MEM', right: true, text: ({ memory }) => byteSize(memory) },
    { title: 'CPU', right: true, text: ({ cpu_ms }) => duration(cpu_ms) },
    { title: 'MOVES', right: true, text: ({ moves }) => String(moves) },
    { title: 'STAY', text: ({ stay }) => stay.join(',') || '-' },
    { title: 'COMMAND', text: ({ command }) => command.join(' ') },
  ];
}
