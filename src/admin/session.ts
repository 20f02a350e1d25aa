/**
 * One client of the control socket, on the daemon's side: its handshake, its calls and its one `run`.
 */
import type { Socket } from 'node:net';
import { unreachable } from '../base/assert.ts';
import { ByteReader } from '../base/bytes.ts';
import type { Log } from '../base/env.ts';
import { GodwitError, requestFailure } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { decode, encode } from '../base/schema.ts';
import type { Daemon, RunHandle } from '../node/daemon.ts';
import { Connection } from './connection.ts';
import {
  CONTROL_MAGIC,
  CONTROL_VERSION,
  type CallArgs,
  type CallName,
  type CallResult,
  type ToClient,
  type ToDaemon,
  callCodecs,
  decodeToDaemon,
  encodeToClient,
} from './protocol.ts';
import { RemoteStdio } from './remote-stdio.ts';

/** `gone`: the client has hung up, so that no answer need come. */
type Handler<N extends CallName> = (daemon: Daemon, args: CallArgs<N>, gone: AbortSignal) => Promise<CallResult<N>>;
type Handlers = { readonly [N in CallName]: Handler<N> };

const HANDLERS: Handlers = {
  ps: (daemon) => daemon.ps(),
  nodes: (daemon) => daemon.nodes(),
  migrate: (daemon, { pid, target }) => daemon.migrate(pid, target),
  kill: async (daemon, { pid, signal }) => {
    await daemon.kill(pid, signal);
    return {};
  },
  wait: (daemon, { pid }, gone) => daemon.wait(pid, gone),
  logs: (daemon, query, gone) => daemon.logs(query, gone),
  token: (daemon) => daemon.token(),
  ping: () => Promise.resolve({}),
  shutdown: async (daemon) => {
    await daemon.shutdown();
    return { pid: process.pid };
  },
};

const SIGHUP = 1;

/** The client's process, from the request on: what comes before it has started is kept for it. */
interface Run {
  readonly stdio: RemoteStdio;
  /** null: not started yet, or detached or ended: no longer the client's. */
  handle: RunHandle | null;
  /** Signals and sizes that came before the start. */
  readonly early: ((handle: RunHandle) => void)[];
}

export class Session {
  readonly #daemon: Daemon;
  readonly #log: Log;
  readonly #connection: Connection<ToDaemon, ToClient>;
  #greeted = false;
  readonly #gone = new AbortController();
  #closing = false;
  #pendingCalls = 0;
  /** From the request to its end, or to its start if it is detached. */
  #runs = false;
  #run: Run | null = null;

  constructor(daemon: Daemon, socket: Socket, log: Log, closed: () => void) {
    this.#daemon = daemon;
    this.#log = log;
    this.#connection = new Connection(
      socket,
      { encode: encodeToClient, decode: decodeToDaemon },
      {
        message: (message) => this.#message(message),
        closed: (reason) => {
          if (reason?.code === 'protocol') log.warn('control client cut off', { reason: reason.message });
          this.#lost();
          closed();
        },
      },
      true,
    );
  }

  /** Ends the connection when what it waits for has been answered. */
  close(): void {
    this.#closing = true;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#closing && this.#pendingCalls === 0 && !this.#runs) this.#connection.close();
  }

  cut(): void {
    this.#connection.fail(null);
  }

  #message(message: ToDaemon): void {
    if (message.kind === 'hello') return this.#hello(message);
    if (!this.#greeted) throw new GodwitError('protocol', `${message.kind} before hello`);
    switch (message.kind) {
      case 'call':
        return this.#call(message.id, message.method, message.body);
      case 'run':
        return this.#start(message);
      case 'signal':
        return this.#toProcess((handle) => handle.signal(message.signal));
      case 'resize':
        return this.#toProcess((handle) => handle.resize({ columns: message.columns, rows: message.rows }));
      case 'data':
      case 'count':
      case 'position':
      case 'fileStat':
      case 'failed':
      case 'done':
        if (!this.#run) throw new GodwitError('protocol', `${message.kind} without a run`);
        return this.#run.stdio.answer(message);
      default:
        return unreachable(message);
    }
  }

  #hello({ magic, version }: Extract<ToDaemon, { kind: 'hello' }>): void {
    if (magic !== CONTROL_MAGIC || this.#greeted) throw new GodwitError('protocol', 'not a greeting');
    if (version !== CONTROL_VERSION) {
      const message = `this node speaks version ${CONTROL_VERSION} of the control protocol, the command version ${version}; use the command of the node's installation`;
      this.#connection.send({ kind: 'failure', id: 0, code: 'version_mismatch', message });
      this.#connection.close();
      return;
    }
    this.#greeted = true;
    this.#connection.send({ kind: 'welcome', version: CONTROL_VERSION, self: this.#daemon.self });
  }

  #call<N extends CallName>(id: number, method: N, body: Uint8Array): void {
    if (id === 0) throw new GodwitError('protocol', 'a call with id 0');
    const { args, result } = callCodecs(method);
    // The handler of a name takes what the codec of that name gives (`Handlers`).
    const handler = HANDLERS[method] as Handler<N>;
    const given = decode(args, new ByteReader(body));
    if (this.#pendingCalls >= LIMITS.controlCalls) {
      this.#failure(id, new GodwitError('limit', `${LIMITS.controlCalls} calls of one client wait already`), method);
      return;
    }
    this.#pendingCalls++;
    const answered = async (): Promise<void> => {
      try {
        const value = await handler(this.#daemon, given, this.#gone.signal);
        this.#connection.send({ kind: 'answer', id, body: encode(result, value) });
      } catch (error) {
        this.#failure(id, error, method);
      } finally {
        this.#pendingCalls--;
        this.#closeIfIdle();
      }
    };
    void answered();
  }

  #failure(id: number, error: unknown, request: string): void {
    const { code, message } = requestFailure(error, this.#log, request);
    this.#connection.send({ kind: 'failure', id, code, message });
  }

  #start({ spec, stdio: { stdin, stdout, stderr }, terminal }: Extract<ToDaemon, { kind: 'run' }>): void {
    if (this.#run) throw new GodwitError('protocol', 'a second run on one connection');
    const stdio = new RemoteStdio((message) => this.#connection.send(message));
    const run: Run = { stdio, handle: null, early: [] };
    this.#run = run;
    this.#runs = true;
    const io = {
      stdin: stdio.port('stdin', stdin),
      stdout: stdio.port('stdout', stdout),
      stderr: stdio.port('stderr', stderr),
      terminal,
    };
    const lived = async (): Promise<void> => {
      try {
        const handle = await this.#daemon.run(spec, io);
        this.#connection.send({ kind: 'started', pid: handle.pid });
        if (spec.detach) return;
        run.handle = handle;
        for (const deliver of run.early.splice(0)) deliver(handle);
        if (this.#gone.signal.aborted) handle.signal(SIGHUP);
        const { end, stats } = await handle.ended;
        this.#connection.send({ kind: 'ended', end, stats });
      } catch (error) {
        this.#failure(0, error, `run ${spec.program}`);
      } finally {
        run.handle = null;
        this.#runs = false;
        this.#closeIfIdle();
      }
    };
    void lived();
  }

  #toProcess(deliver: (handle: RunHandle) => void): void {
    const run = this.#run;
    if (!run) throw new GodwitError('protocol', 'a signal without a run');
    if (run.handle) deliver(run.handle);
    else if (run.early.length < LIMITS.earlySignals) run.early.push(deliver);
  }

  /** The client is gone: to its process that is the hangup of its terminal. */
  #lost(): void {
    this.#gone.abort();
    this.#run?.stdio.hangUp();
    this.#run?.handle?.signal(SIGHUP);
    if (this.#run?.handle) this.#log.info('control client gone, its process hung up', { pid: this.#run.handle.pid });
  }
}
