/** `godwit lab` */
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import tty from 'node:tty';
import { fileURLToPath } from 'node:url';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { reasonOf } from '../report.ts';
import { Lab } from '../lab/lab.ts';

export const lab: Command = {
  name: 'lab',
  arguments: '[-- COMMAND ARGS...]',
  argumentCount: [0, null],
  nodeless: true,
  summary: 'start a cluster of several nodes on this machine, to try things out',
  details: [
    'The nodes are separate processes on loopback with all state in a temporary directory. COMMAND finds "godwit" on its PATH and the first node in GODWIT_SOCKET; when it ends, everything is stopped and removed. Without COMMAND the lab stays until Ctrl-C.',
  ],
  options: [{ name: 'nodes', short: 'n', value: 'NODES', summary: 'how many nodes (3)' }],
  optionsFirst: true,
  examples: [
    ['godwit lab -- sh', 'a shell in which "godwit ps" and the others use a cluster of three nodes'],
    ['godwit lab -n 5 -- godwit run --hop 20ms prog.wasm', 'run a program that moves around among five nodes'],
    ['godwit lab', 'stay, and print how another terminal can use it'],
  ],
  hasProgramStatus: true,
  exits: [
    ['its own', 'the status of COMMAND; 128+N after signal N'],
    ['125', 'Godwit failed'],
    ['126', 'COMMAND cannot be executed'],
    ['127', 'there is no such command'],
  ],
  async run(invocation, context) {
    const nodes = parseNodes(invocation.value('nodes') ?? '3');
    const lost = (text: string): void => context.err(`godwit: lab: ${text}`);
    return withLab(nodes, context.env, lost, async (lab, ended) => {
      const env = labEnvironment(context.env, lab.socketPath);
      const [command, ...args] = invocation.args;
      return command === undefined ? stay(lab, context, ended) : runCommand(command, args, env);
    });
  },
};

function parseNodes(text: string): number {
  const nodes = /^\d+$/.test(text) ? Number(text) : 0;
  if (nodes < 1 || nodes > LIMITS.labNodes) {
    throw new GodwitError('usage', `lab: -n ${text} is not a number of nodes from 1 to ${LIMITS.labNodes}`);
  }
  return nodes;
}

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Resolves at the first signal that is to end us, with its name. */
export type Ending = Promise<NodeJS.Signals>;

/**
 * Starts a lab, uses it, and stops it in every case. From its start on no signal ends this command by itself:
 * the first is for `use` to see, a second one while the lab stops makes that quick.
 * @param lost told when a node ends that nobody ended
 */
export async function withLab(
  nodes: number,
  env: NodeJS.ProcessEnv,
  lost: (text: string) => void,
  use: (lab: Lab, ended: Ending) => Promise<number>,
): Promise<number> {
  const ending = Promise.withResolvers<NodeJS.Signals>();
  const interrupted = new AbortController();
  let running: Lab | null = null;
  let stopping = false;
  for (const name of ENDINGS) {
    process.on(name, () => {
      ending.resolve(name);
      if (!running) interrupted.abort();
      if (stopping) running?.kill();
    });
  }
  try {
    running = await Lab.start({ nodes, env, lost: (name, how) => lost(`${name} is gone: ${how}`) }, interrupted.signal);
    return await use(running, ending.promise);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    return 128 + os.constants.signals[await ending.promise];
  } finally {
    stopping = true;
    await running?.stop();
  }
}

/** What a command needs to use the lab: its socket, and this very `godwit` on the PATH. */
function labEnvironment(env: NodeJS.ProcessEnv, socketPath: string): NodeJS.ProcessEnv {
  const bin = fileURLToPath(new URL('../../../bin', import.meta.url));
  return { ...env, GODWIT_SOCKET: socketPath, PATH: [bin, env['PATH']].filter(Boolean).join(path.delimiter) };
}

async function stay(lab: Lab, { out }: Context, ended: Ending): Promise<number> {
  const names = lab.nodes.map(({ name, ready }) => `${name} (${ready.address})`).join(', ');
  out(`${lab.nodes.length} nodes are up: ${names}`);
  out(`use them in another terminal with:\n  export GODWIT_SOCKET=${lab.socketPath}`);
  out('Ctrl-C ends them.');
  await ended;
  return 0;
}

/** Runs the command in the foreground; signals to us are passed on, unless the terminal has done so. */
async function runCommand(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(command, args, { env, stdio: 'inherit' });
  const byTerminal: readonly string[] = [0, 1, 2].some((fd) => tty.isatty(fd)) ? ['SIGINT', 'SIGQUIT'] : [];
  for (const name of ENDINGS) {
    if (!byTerminal.includes(name)) process.on(name, () => child.kill(name));
  }
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT';
      reject(
        new GodwitError(
          absent ? 'not_found' : 'not_runnable',
          `cannot run ${command}: ${absent ? 'there is no such command; check its name, or give its path' : `${reasonOf(error)}; give the path of a command that can be executed`}`,
        ),
      );
    });
    child.on('exit', (status, signal) => resolve(signal ? 128 + os.constants.signals[signal] : (status ?? 0)));
  });
}
