/** `godwit logs` */
import { LIMITS } from '../../base/limits.ts';
import type { LogLine } from '../../node/daemon.ts';
import { parsePid } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { withNode } from '../context.ts';
import { printable } from '../format.ts';

export const logs: Command = {
  name: 'logs',
  arguments: '[PID]',
  argumentCount: [0, 1],
  summary: "print the node's log, or what a detached process wrote",
  details: [
    `A node keeps the last ${LIMITS.logLines} lines of its own log and of each detached process, fewer if they are long, in memory. How many come too late is said on stderr, with --json in the field "missing" of the line behind them. What the node's own log says of other processes is told as far as it is kept. To have all, start the program without --detach and send its output to a file.`,
  ],
  options: [
    { name: 'follow', short: 'f', summary: 'go on as lines come, until there can be no more or Ctrl-C' },
    JSON_OPTION,
  ],
  examples: [
    ['godwit logs', "the node's own log"],
    ['godwit logs --follow 65537', 'the output of a detached process, as it comes'],
  ],
  async run(invocation, context) {
    const [pidText] = invocation.args;
    const pid = pidText === undefined ? null : parsePid(pidText);
    const json = invocation.flag('json');
    const wait = invocation.flag('follow');
    await withNode(context, async (node) => {
      let asked: number | null = null;
      for (let after = 0; ;) {
        const { missing, lines, next, last, complete } = await node.logs({ pid, after, wait });
        asked ??= last;
        if (missing > 0 && !json) context.err(`godwit: ${missing} lines before these are not kept`);
        for (const [i, line] of lines.entries()) {
          const told = i === 0 && missing > 0 ? { ...line, missing } : line;
          context.out(json ? JSON.stringify(told) : humanLine(line, pid !== null));
        }
        // Without --follow it is over where the log ended at the first answer: whoever writes steadily is never overtaken.
        if (complete || (!wait && (next >= asked || next === after))) return;
        after = next;
      }
    });
    return 0;
  },
};

/** Output of one process stands alone; the node's log says when and what. */
function humanLine({ time, level, text }: LogLine, ofProcess: boolean): string {
  // Tabs are part of a program's output; other control characters would move the reader's cursor.
  const clean = text.split('\t').map(printable).join('\t');
  if (ofProcess && (level === 'stdout' || level === 'stderr')) return clean;
  return `${new Date(time).toISOString()} ${level.padEnd(6)} ${clean}`;
}
