/** `godwit run`: a program in the foreground, as if it were run here; or detached. */
import path from 'node:path';
import { nullIo } from '../../node/null-stdio.ts';
import { GodwitError } from '../../base/errors.ts';
import type { RunSpec, RunStats } from '../../node/daemon.ts';
import { forwardSignals, forwardSize } from '../attached.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { endMessage, exitStatus } from '../format.ts';
import type { Invocation } from '../parse.ts';
import { type Output, requireWritable, writeOutput } from '../output-file.ts';
import { errorLine } from '../report.ts';
import { runSpec } from '../run-spec.ts';
import { type RunningPlace, findPlace } from '../running-place.ts';
import { localStdio } from '../stdio/local-stdio.ts';

export const run: Command = {
  name: 'run',
  arguments: 'PROGRAM.wasm [ARGS...]',
  argumentCount: [1, null],
  summary: 'run a program as a process of the cluster, as if it ran here',
  details: [
    'Standard input and output, the terminal, Ctrl-C and the exit status are those of this command; on a terminal COLUMNS and LINES have its size at the start. Options end at the program: what follows belongs to it.',
    'If no node is running, the program runs on a single node inside this command.',
    'Signals reach the program even if this command was started to ignore them, as by nohup; --detach leaves it running when the terminal goes.',
  ],
  options: [
    { name: 'node', value: 'NODE', summary: 'start it on this node (name or id); files and sockets are those of here' },
    {
      name: 'dir',
      value: 'HOST[::GUEST]',
      repeatable: true,
      summary: 'give it this directory, under the name GUEST; without --dir, the current directory as "."',
    },
    {
      name: 'env',
      value: 'K[=V]',
      repeatable: true,
      summary: 'set an environment variable, or hand on the one of this name; none are handed on by themselves',
    },
    { name: 'cwd', value: 'DIR', summary: 'the directory that relative --dir, and ".", are taken from' },
    {
      name: 'listen',
      value: 'ADDR',
      repeatable: true,
      summary:
        'listen on HOST:PORT, or on PORT for this machine only, and pass the socket in: the first as descriptor 3, directories come behind',
    },
    { name: 'pin', summary: 'do not let it move (stay reason user_lock)' },
    { name: 'detach', summary: 'print its pid and leave it running; its output goes to "godwit logs"' },
    {
      name: 'hop',
      value: 'INTERVAL',
      summary: 'move it to the next node in turn, and again so long after the end of each move, such as 20ms',
    },
    { name: 'stats', value: 'FILE', summary: 'at its end, write moves, freeze times and counts as JSON' },
  ],
  optionsFirst: true,
  examples: [
    ['godwit run prog.wasm input.txt', 'run prog.wasm with the current directory'],
    ['godwit run --dir /data::/in --env TERM prog.wasm -v', '-v is the option of prog.wasm'],
    ['godwit run --listen 127.0.0.1:8080 server.wasm', 'server.wasm accepts connections on descriptor 3'],
    [
      'godwit run --hop 20ms --stats moves.json prog.wasm',
      'move it all the time, and see how often and how long it stood still',
    ],
  ],
  hasProgramStatus: true,
  exits: [
    ['its own', 'the program ended by itself'],
    ['128+N', 'it was ended by signal N'],
    ['125', 'Godwit failed'],
    ['126', 'the file is not a program that can run'],
    ['127', 'there is no such file'],
  ],
  run: start,
};

async function start(invocation: Invocation, context: Context): Promise<number> {
  const spec = runSpec(invocation, context.cwd, context.env);
  const statsFile = statsOutput(invocation, context, spec);
  const node = await findPlace(invocation, context, spec.detach);
  try {
    // Not waited for: a member that does not answer must not hold the program up.
    const told = spec.hopMicros === null ? null : tellNoHops(spec, node, context);
    if (spec.detach) {
      const { pid } = await node.run(spec, nullIo());
      context.out(String(pid));
      await told;
      return 0;
    }
    forwardSignals(node, (status) => process.exit(status));
    const handle = await node.run(spec, localStdio());
    forwardSize(handle);
    const { end, stats } = await handle.ended;
    const message = endMessage(end);
    if (message !== null) context.err(`godwit: ${invocation.args[0]}: ${message}`);
    if (statsFile !== null) writeStats(statsFile, stats, context);
    return exitStatus(end);
  } finally {
    node.close();
  }
}

/** @throws GodwitError `usage`, `io` if nothing could be written there: before the program has run */
function statsOutput(invocation: Invocation, { cwd }: Context, spec: RunSpec): Output | null {
  const given = invocation.value('stats');
  if (given === undefined) return null;
  if (spec.detach) {
    throw new GodwitError(
      'usage',
      'run: --stats needs the end of the process, which --detach does not wait for; leave one of them out',
    );
  }
  const file = { what: 'the statistics', given, absolute: path.resolve(cwd, given) };
  requireWritable(file, spec.program);
  return file;
}

/** The program has ended: its status stands, and what cannot be written is told instead. */
function writeStats(file: Output, stats: RunStats, context: Context): void {
  try {
    writeOutput(file, `${JSON.stringify(stats, null, 2)}\n`);
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    context.err(`${errorLine(error)}; they are ${JSON.stringify(stats)}`);
  }
}

/** The program runs all the same, so this is no error; but nobody should wait for moves that cannot be. */
async function tellNoHops({ pin }: RunSpec, node: RunningPlace, { err }: Context): Promise<void> {
  try {
    const reason = pin ? 'the program is pinned, so --hop moves nothing; leave --pin out' : await node.noHops();
    if (reason !== null) err(`godwit: ${reason}`);
  } catch (error) {
    // The connection ended, which whoever waits for the program tells.
    if (!(error instanceof GodwitError)) throw error;
  }
}
