/** `godwit kill` */
import { parsePid } from '../arguments.ts';
import type { Command } from '../command.ts';
import { withNode } from '../context.ts';
import { patiently } from '../patience.ts';
import { errorLine } from '../report.ts';
import { requireSignal } from '../signals.ts';
import { SIGNALS, parseSignal } from '../../abi/signals.ts';
import { GodwitError } from '../../base/errors.ts';

const TERM = 'TERM';

function behindSocket([first = '']: readonly string[]): number {
  if (first === '--socket') return 2;
  return first.startsWith('--socket=') ? 1 : 0;
}

export const kill: Command = {
  name: 'kill',
  arguments: '[-SIGNAL] PID...',
  argumentCount: [0, null],
  summary: 'send a signal to processes (TERM, unless another is named)',
  details: [
    'The signal can be written as in kill(1): -TERM, -SIGTERM, -15 or --signal TERM. Signal 0 only asks whether the process is there.',
  ],
  options: [
    { name: 'signal', short: 's', value: 'SIGNAL', summary: 'the signal, by name or number' },
    { name: 'list', short: 'l', summary: 'list the signals with their numbers' },
  ],
  examples: [
    ['godwit kill 65537', 'ask it to end'],
    ['godwit kill -9 65537', 'end it'],
    ['godwit kill -STOP 65537', 'stop it; -CONT lets it go on'],
  ],
  // Only the first word, as in kill(1), or the first behind --socket: `-9` behind a pid would be a mistake.
  prepare: (words) => {
    const at = behindSocket(words);
    const named = /^-(?!-)(.+)$/.exec(words[at] ?? '')?.[1];
    const signal = named !== undefined && named !== 'l' && named !== 's' && named !== 'h';
    // Words that no signal has are left for the parser to complain about, unless they are numbers or names in capitals.
    return signal && (parseSignal(named) !== null || /^[A-Z\d]+$/.test(named))
      ? [...words.slice(0, at), '--signal', named, ...words.slice(at + 1)]
      : words.filter((word) => word !== '');
  },
  async run(invocation, context) {
    if (invocation.flag('list')) {
      for (const { name, number } of SIGNALS) context.out(`${String(number).padStart(2)} ${name}`);
      return 0;
    }
    const signal = requireSignal(invocation.value('signal') ?? TERM);
    if (invocation.args.length === 0)
      throw new GodwitError('usage', 'kill: PID is missing; "godwit help kill" shows how');
    const pids = invocation.args.map(parsePid);
    return withNode(context, async (node) => {
      let status = 0;
      for (const pid of pids) {
        try {
          await patiently(context, node, pid, node.kill(pid, signal));
        } catch (error) {
          // One that has ended is no reason to spare the others.
          if (pids.length === 1 || !(error instanceof GodwitError) || error.code !== 'unknown_process') throw error;
          context.err(errorLine(error));
          status = error.exitStatus;
        }
      }
      return status;
    });
  },
};
