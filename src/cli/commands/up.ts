/** `godwit up`: a node on this machine, in the foreground or detached. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAdmin } from '../../admin/client.ts';
import { makeSocketDirectory, serveAdmin } from '../../admin/server.ts';
import { isNamedPipe } from '../../admin/socket-path.ts';
import type { Log } from '../../base/env.ts';
import { GodwitError } from '../../base/errors.ts';
import { TIMING } from '../../base/timing.ts';
import type { Daemon, JoinToken, NodeOptions } from '../../node/daemon.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { ErrorFile, removeErrorFile } from '../error-file.ts';
import { joinLine, joinNote } from '../join-line.ts';
import type { Invocation } from '../parse.ts';
import { godwitCommand } from '../self.ts';
import { readLine } from '../stdin-line.ts';
import { type UpJson, parseReady } from '../up-json.ts';

export const up: Command = {
  name: 'up',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'start a node on this machine',
  details: [
    'Without --join it is the first node of a new cluster, or comes back to the cluster of its state directory. It prints the line with which another machine joins.',
    'Stays in the foreground until Ctrl-C, SIGTERM, SIGHUP (nohup does not keep that away, --detach does) or "godwit down".',
  ],
  options: [
    { name: 'name', value: 'NAME', summary: 'how the node is called (else the name of the machine)' },
    {
      name: 'listen',
      value: 'HOST:PORT',
      summary: 'where other nodes reach it; port 0 takes a free one (without: a free port of this machine only)',
    },
    { name: 'join', value: 'HOST:PORT', summary: 'join the cluster of the node at this address' },
    {
      name: 'token',
      value: 'T',
      summary:
        'the token that "godwit token" printed there; "-" reads it from standard input, which other users of the machine cannot see',
    },
    {
      name: 'state',
      value: 'DIR',
      summary: 'where it keeps its identity and membership (else ~/.local/state/godwit, or as XDG_STATE_HOME says)',
    },
    { name: 'attended', summary: 'end when standard input ends: for programs that start nodes' },
    {
      name: 'detach',
      summary:
        'return when it is ready and leave it running; errors that nobody sees go to SOCKET.err, until it ends in order',
    },
    { name: 'json', summary: 'print id, name, address, socket and how to join as JSON' },
  ],
  examples: [
    ['godwit up --listen 192.168.1.10:7370', 'the first node of a cluster'],
    ['godwit up --join 192.168.1.10:7370 --token T', 'another one; "godwit token" on the first gives the line'],
    [
      'godwit up --join 192.168.1.10:7370 --token -',
      'the same; standard input has the token, and no list of processes shows it',
    ],
  ],
  run: (invocation, context) =>
    invocation.flag('detach') ? startDetached(invocation, context) : runNode(invocation, context),
};

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

async function nodeOptions(invocation: Invocation, cwd: string): Promise<NodeOptions> {
  const address = invocation.value('join');
  const given = invocation.value('token');
  if ((address === undefined) !== (given === undefined)) {
    throw new GodwitError('usage', 'up: --join and --token belong together; "godwit token" on a node prints both');
  }
  const token = given === '-' ? await readLine(process.stdin, 'token') : given;
  const state = invocation.value('state');
  return {
    name: invocation.value('name') ?? null,
    listen: invocation.value('listen') ?? null,
    join: address !== undefined && token !== undefined ? { address, token } : null,
    state: state === undefined ? null : path.resolve(cwd, state),
  };
}

async function runNode(invocation: Invocation, context: Context): Promise<number> {
  const options = await nodeOptions(invocation, context.cwd);
  await requireUnused(context.socketPath);
  // What cannot be served must not found a cluster first.
  if (!isNamedPipe(context.socketPath)) makeSocketDirectory(path.dirname(context.socketPath));
  // Loaded only here: the other commands start faster without the node.
  const { startNode } = await import('../../node/start.ts');
  const daemon = await startNode(options);
  if (invocation.flag('attended')) {
    if (process.stdin.readableEnded) void daemon.shutdown();
    else process.stdin.once('end', () => void daemon.shutdown()).resume();
  }
  // Only from here on: a signal while the node starts ends it at once, because nothing runs yet that could be lost.
  for (const signal of ENDINGS) process.on(signal, () => void daemon.shutdown());
  try {
    const server = await serveAdmin(daemon, context.socketPath, errorLog(context));
    const join = await joinToken(daemon);
    announce({ ...daemon.self, socket: context.socketPath, pid: process.pid, join }, invocation, context);
    await daemon.ended;
    await server.close();
    removeErrorFile(context.socketPath);
  } finally {
    await daemon.shutdown();
  }
  return 0;
}

/** Before anything is started: two nodes on one socket is the commonest mistake. */
async function requireUnused(socketPath: string): Promise<void> {
  try {
    const client = await connectAdmin(socketPath);
    client.close();
  } catch (error) {
    if (error instanceof GodwitError && error.code === 'no_daemon') return;
    throw error;
  }
  throw new GodwitError(
    'state_in_use',
    `a node already serves ${socketPath}; end it with "godwit down" or choose another --socket`,
  );
}

/** Only what goes wrong with the control socket; the node has its own log. */
function errorLog(context: Context): Log {
  const line = (message: string, fields: object = {}): void =>
    context.err(`godwit: ${message} ${JSON.stringify(fields)}`);
  return { debug() {}, info() {}, warn: line, error: line };
}

/** What the node says when it is ready, for people or programs. */
function announce(ready: UpJson, invocation: Invocation, context: Context): void {
  if (invocation.flag('json')) {
    context.out(JSON.stringify(ready));
    return;
  }
  const { id, name, address, socket, pid, join } = ready;
  context.out(`node ${name} (${id}) is up${address ? ` on ${address}` : ''}: process ${pid}, control socket ${socket}`);
  if (join) {
    const { who, note } = joinNote(join);
    context.out(`${who} joins with this line, until ${new Date(join.expires).toISOString()}:`);
    context.out(`  ${joinLine(join)}`);
    if (note !== null) context.out(`(${note})`);
  }
}

/** A node that cannot give out tokens, because it does not reach the one that can, is up all the same. */
async function joinToken(daemon: Daemon): Promise<JoinToken | null> {
  const enough = new AbortController();
  const late = sleep(TIMING.joinLineMs, null, { signal: enough.signal }).catch(() => null);
  try {
    return await Promise.race([daemon.token(), daemon.ended.then(() => null), late]);
  } catch (error) {
    if (error instanceof GodwitError) return null;
    throw error;
  } finally {
    enough.abort();
  }
}

/** Starts the same command without --detach in its own session, and waits until it is ready or has failed. */
async function startDetached(invocation: Invocation, context: Context): Promise<number> {
  const { join } = await nodeOptions(invocation, context.cwd);
  await requireUnused(context.socketPath);
  const words = ['name', 'listen', 'join', 'state'].flatMap((option) => {
    const value = invocation.value(option);
    return value === undefined ? [] : [`--${option}`, value];
  });
  if (join) words.push('--token', '-');
  const [file, args] = godwitCommand(['up', '--json', '--socket', context.socketPath, ...words]);
  const errors = isNamedPipe(context.socketPath) ? null : new ErrorFile(context.socketPath);
  const child = spawn(file, args, {
    cwd: context.cwd,
    env: context.env,
    detached: true,
    stdio: ['pipe', 'pipe', errors?.fd ?? 'ignore'],
  });
  // One that ends at once may not read it.
  child.stdin!.on('error', () => {});
  child.stdin!.end(join ? `${join.token}\n` : '');
  errors?.close();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const interruption = endWithCommand(child);
  const ready = await Promise.race([
    parseReady(child.stdout!),
    once(child, 'error').then(([error]) => {
      errors?.take();
      throw new GodwitError('internal', `cannot start the node: ${(error as Error).message}`);
    }),
  ]);
  const signal = interruption();
  if (signal !== null) await ended;
  if (!ready || signal !== null) {
    const words = errors?.take();
    if (signal !== null) return 128 + constants.signals[signal];
    throw words ?? new GodwitError('internal', 'the node ended without a word before it was ready');
  }
  errors?.keep();
  child.stdout!.destroy();
  child.unref();
  announce(ready, invocation, context);
  return 0;
}

/**
 * Who interrupts the command before the node is ready does not want the node either.
 * @returns ends that, and gives the signal that has come
 */
function endWithCommand(child: ChildProcess): () => NodeJS.Signals | null {
  let came: NodeJS.Signals | null = null;
  const end = (signal: NodeJS.Signals): void => {
    came = signal;
    child.kill('SIGTERM');
  };
  for (const signal of ENDINGS) process.on(signal, end);
  return () => {
    for (const signal of ENDINGS) process.off(signal, end);
    return came;
  };
}
