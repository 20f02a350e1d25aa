/** `godwit nodes` */
import type { NodeInfo } from '../../node/daemon.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { withNode } from '../context.ts';
import { type Column, byteSize, table } from '../format.ts';

export const nodes: Command = {
  name: 'nodes',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'list the nodes of the cluster',
  options: [JSON_OPTION],
  examples: [
    ['godwit nodes', 'names, states, load and memory'],
    ['godwit nodes --json', 'the same for programs: an array, one object a node'],
  ],
  async run(invocation, context) {
    const nodes = await withNode(context, (node) => node.nodes());
    if (invocation.flag('json')) context.out(JSON.stringify(nodes, null, 2));
    else for (const line of table(NODE_COLUMNS, nodes, context.columns)) context.out(line);
    return 0;
  },
};

const NODE_COLUMNS: readonly Column<NodeInfo>[] = [
  { title: 'ID', right: true, text: ({ id }) => String(id) },
  { title: 'NAME', text: ({ name }) => name },
  { title: 'STATE', text: ({ state }) => state },
  { title: 'ADDRESS', text: ({ address }) => address || '-' },
  { title: 'ARCH', text: ({ arch }) => arch },
  { title: 'OS', text: ({ os }) => os },
  { title: 'CPUS', right: true, text: ({ cpus }) => String(cpus) },
  { title: 'LOAD', right: true, text: ({ load }) => load.toFixed(2) },
  { title: 'FREE', right: true, text: ({ memory_free }) => byteSize(memory_free) },
  { title: 'TOTAL', right: true, text: ({ memory_total }) => byteSize(memory_total) },
  { title: 'PROCS', right: true, text: ({ processes }) => String(processes) },
];
