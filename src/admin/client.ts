/**
 * The command's end of the control socket: a {@link Daemon} whose methods are carried out by the node at the other
 * end. One process at a time can be run through one connection.
 */
import net from 'node:net';
import { ERRNO } from '../abi/errno.ts';
import { unreachable } from '../base/assert.ts';
import { ByteReader } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { decode, encode } from '../base/schema.ts';
import type {
  Daemon,
  JoinToken,
  LogPage,
  LogQuery,
  MoveResult,
  NodeIdentity,
  NodeInfo,
  ProcessEnd,
  ProcessInfo,
  RunHandle,
  RunIo,
  RunSpec,
  StdioPort,
} from '../node/daemon.ts';
import { carryOut, type StdioOperation } from './own-stdio.ts';
import { requireOwnSocket, requireSocketPath, socketFailure } from './socket-path.ts';
import { Connection } from './connection.ts';
import {
  CONTROL_MAGIC,
  CONTROL_VERSION,
  type CallArgs,
  type CallName,
  type CallResult,
  type StdioName,
  type ToClient,
  type ToDaemon,
  callCodecs,
  decodeToClient,
  encodeToDaemon,
} from './protocol.ts';

type Ended = Awaited<RunHandle['ended']>;

interface Pending<T> {
  resolve(value: T): void;
  reject(error: GodwitError): void;
}

interface Run {
  readonly io: RunIo;
  readonly started: Pending<number>;
  readonly ended: Pending<Ended>;
}

/**
 * @param socketPath of the node's control socket
 * @throws GodwitError `no_daemon` if no node is there, `usage` if the path is too long, `version_mismatch`, `io`
 */
export async function connectAdmin(socketPath: string): Promise<AdminClient> {
  requireSocketPath(socketPath);
  requireOwnSocket(socketPath);
  const socket = net.connect(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error: NodeJS.ErrnoException) => reject(connectFailure(socketPath, error)));
  });
  socket.removeAllListeners('error');
  const client = new AdminClient(socket);
  await client.greeted;
  return client;
}

function connectFailure(socketPath: string, error: NodeJS.ErrnoException): GodwitError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    const way = 'start one with "godwit up", or try "godwit lab"';
    return new GodwitError('no_daemon', `no node answers on ${socketPath}; ${way}`, { cause: error });
  }
  return socketFailure('open', socketPath, error);
}

export class AdminClient implements Daemon {
  /** Resolves when the node has answered the greeting. */
  readonly greeted: Promise<void>;
  readonly ended: Promise<void>;
  /** The operating system's id of the node's process, once that has said that it ends. */
  endingProcess: number | null = null;
  readonly #connection: Connection<ToClient, ToDaemon>;
  readonly #calls = new Map<number, Pending<Uint8Array>>();
  readonly #greeting: Pending<void>;
  #self: NodeIdentity = { id: 0, name: '', address: '' };
  #lastId = 0;
  #run: Run | null = null;
  /** The pulls that have not been answered. */
  readonly #pulls = new Map<StdioName, number>();
  #lost: GodwitError | null = null;

  constructor(socket: net.Socket) {
    const greeting = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.greeted = greeting.promise;
    this.ended = ended.promise;
    this.#greeting = greeting;
    this.#connection = new Connection(
      socket,
      { encode: encodeToDaemon, decode: decodeToClient },
      {
        message: (message) => this.#message(message),
        closed: (reason) => {
          this.#closed(reason);
          ended.resolve();
        },
      },
      false,
    );
    this.#connection.send({ kind: 'hello', magic: CONTROL_MAGIC, version: CONTROL_VERSION });
  }

  get self(): NodeIdentity {
    return this.#self;
  }

  /** Ends the connection; a process that was run through it is hung up. */
  close(): void {
    this.#connection.close();
  }

  run(spec: RunSpec, io: RunIo): Promise<RunHandle> {
    const started = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<Ended>();
    // Whoever started a process may look at its end later, or, detached, never.
    ended.promise.catch(() => {});
    if (this.#lost) return Promise.reject(this.#lost);
    this.#run = { io, started, ended };
    const { stdin, stdout, stderr, terminal } = io;
    const stdio = { stdin: described(stdin), stdout: described(stdout), stderr: described(stderr) };
    this.#connection.send({ kind: 'run', spec, stdio, terminal });
    return started.promise.then((pid) => ({
      pid,
      signal: (signal) => this.signal(signal),
      resize: ({ columns, rows }) => this.#connection.send({ kind: 'resize', columns, rows }),
      ended: ended.promise,
    }));
  }

  /** To the process of `run`, which need not have started yet. */
  signal(signal: number): void {
    if (this.#run) this.#connection.send({ kind: 'signal', signal });
  }

  ps(): Promise<readonly ProcessInfo[]> {
    return this.#call('ps', {});
  }

  nodes(): Promise<readonly NodeInfo[]> {
    return this.#call('nodes', {});
  }

  migrate(pid: number, target: string): Promise<MoveResult> {
    return this.#call('migrate', { pid, target });
  }

  async kill(pid: number, signal: number): Promise<void> {
    await this.#call('kill', { pid, signal });
  }

  wait(pid: number): Promise<ProcessEnd> {
    return this.#call('wait', { pid });
  }

  logs({ pid, after, wait }: LogQuery): Promise<LogPage> {
    return this.#call('logs', { pid, after, wait });
  }

  token(): Promise<JoinToken> {
    return this.#call('token', {});
  }

  /** Resolves when the node has answered: it still reacts. */
  async ping(): Promise<void> {
    await this.#call('ping', {});
  }

  async shutdown(): Promise<void> {
    const { pid } = await this.#call('shutdown', {});
    this.endingProcess = pid;
  }

  #call<N extends CallName>(method: N, args: CallArgs<N>): Promise<CallResult<N>> {
    if (this.#lost) return Promise.reject(this.#lost);
    const codecs = callCodecs(method);
    const id = ++this.#lastId;
    const answered = Promise.withResolvers<Uint8Array>();
    this.#calls.set(id, answered);
    this.#connection.send({ kind: 'call', id, method, body: encode(codecs.args, args) });
    return answered.promise.then((body) => decode(codecs.result, new ByteReader(body)));
  }

  #message(message: ToClient): void {
    switch (message.kind) {
      case 'welcome':
        this.#self = message.self;
        return this.#greeting.resolve();
      case 'answer':
        return this.#taken(message.id).resolve(message.body);
      case 'failure':
        return this.#failure(message.id, new GodwitError(message.code, message.message));
      case 'started':
        return this.#running().started.resolve(message.pid);
      case 'ended':
        return this.#running().ended.resolve({ end: message.end, stats: message.stats });
      case 'pull':
      case 'write':
      case 'seek':
      case 'stat':
      case 'readAt':
      case 'writeAt':
      case 'sync':
      case 'setSize':
      case 'setTimes':
      case 'allocate':
        return this.#operation(message);
      case 'hurry':
        // Perhaps its answer is on its way.
        if (this.#pulls.get(message.fd) === message.id) this.#running().io[message.fd].hurry();
        return;
      default:
        return unreachable(message);
    }
  }

  #operation(message: StdioOperation): void {
    if (message.kind === 'pull') this.#pulls.set(message.fd, message.id);
    carryOut(message, this.#running().io[message.fd], (answer) => {
      if (message.kind === 'pull') this.#pulls.delete(message.fd);
      this.#connection.send(answer);
      // As a shell's pipeline: `godwit run x | head -1` ends x, whether or not it looks at its errors.
      const brokenPipe = message.kind === 'write' && answer.kind === 'failed' && answer.errno === ERRNO.pipe;
      if (brokenPipe) this.signal(SIGPIPE);
    });
  }

  #running(): Run {
    if (!this.#run) throw new GodwitError('protocol', 'the node speaks of a process that was not asked for');
    return this.#run;
  }

  #taken(id: number): Pending<Uint8Array> {
    const call = this.#calls.get(id);
    if (!call) throw new GodwitError('protocol', `the node answers call ${id}, which was not made`);
    this.#calls.delete(id);
    return call;
  }

  #failure(id: number, error: GodwitError): void {
    if (id !== 0) return this.#taken(id).reject(error);
    if (!this.#run) return this.#greeting.reject(error);
    this.#run.started.reject(error);
    this.#run.ended.reject(error);
  }

  #closed(reason: GodwitError | null): void {
    const why = reason ? `: ${reason.message}` : ', because it was stopped or has failed';
    const help = 'the end of node.log in its state directory says more';
    this.#lost = new GodwitError('node_down', `the node has ended the connection${why}; ${help}`, { cause: reason });
    this.#greeting.reject(this.#lost);
    for (const call of this.#calls.values()) call.reject(this.#lost);
    this.#calls.clear();
    this.#run?.started.reject(this.#lost);
    this.#run?.ended.reject(this.#lost);
  }
}

const SIGPIPE = 13;

const described = ({ kind, flags, readable, writable }: StdioPort) => ({ kind, flags, readable, writable });
