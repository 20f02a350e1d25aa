/**
 * A {@link Daemon} without a cluster, for tests of the control socket and the commands: its "programs" are functions
 * that use the standard streams they are given.
 */
import path from 'node:path';
import { GodwitError } from '../../base/errors.ts';
import type {
  Daemon,
  JoinToken,
  LogPage,
  LogQuery,
  MoveResult,
  NodeInfo,
  ProcessEnd,
  ProcessInfo,
  RunHandle,
  RunIo,
  RunSpec,
  RunStats,
  StdioPort,
  TerminalSize,
} from '../../node/daemon.ts';
import type { Settled } from '../../vfs/openfile.ts';

/** What a fake program can do. */
export interface FakeProcess {
  readonly pid: number;
  readonly spec: RunSpec;
  readonly io: RunIo;
  /** The next signal; those that nobody waits for are kept. */
  readonly signal: () => Promise<number>;
  /** The next size of the terminal. */
  readonly size: () => Promise<TerminalSize>;
}

export type FakeProgram = (process: FakeProcess) => Promise<ProcessEnd>;

export const exited = (code: number, message: string | null = null): ProcessEnd => ({ how: 'exited', code, message });
export const signalled = (signal: number): ProcessEnd => ({ how: 'signalled', signal, message: null });

export const FAKE_STATS: RunStats = {
  moves: 2,
  freeze_ms: [1.5, 2.25],
  image_bytes: [65_536, 65_600],
  home_calls: 3,
  local_calls: 4_000_000_000,
  cpu_ms: { node1: 10, node2: 20.5 },
};

/** Values in the order of their coming, each taken once. */
export class Mailbox<T> {
  readonly #values: T[] = [];
  readonly #takers: ((value: T) => void)[] = [];

  put(value: T): void {
    const taker = this.#takers.shift();
    if (taker) taker(value);
    else this.#values.push(value);
  }

  take(): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift()!);
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}

/** @throws the errno's number as an Error's message */
function valueOf<T>(result: Settled<T>): T {
  if ('errno' in result) throw new Error(`errno ${result.errno}`);
  return result.value;
}

export const readOnce = (port: StdioPort, max: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    port.read(max, (result) => {
      try {
        // A copy: the bytes are a view of a received frame.
        resolve(valueOf(result).slice());
      } catch (error) {
        reject(error);
      }
    });
  });

export const writeOnce = (port: StdioPort, bytes: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    port.write(bytes, (result) => {
      try {
        resolve(valueOf(result));
      } catch (error) {
        reject(error);
      }
    });
  });

export async function writeAll(port: StdioPort, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await writeOnce(port, rest.subarray(0, 65_536)));
}

export class FakeDaemon implements Daemon {
  readonly self = { id: 1, name: 'node1', address: '127.0.0.1:7370' };
  readonly ended: Promise<void>;
  /** What each program file name (its last part) does. */
  readonly programs = new Map<string, FakeProgram>();
  processes: ProcessInfo[] = [];
  nodeList: NodeInfo[] = [];
  /** Each page's cursor is its index. */
  readonly log: Omit<LogPage, 'last'>[] = [];
  /** Every kill and migrate, as text. */
  readonly done: string[] = [];
  readonly ends = new Map<number, Promise<ProcessEnd>>();
  /** When kills and migrations are answered. */
  answers: Promise<void> = Promise.resolve();
  readonly #down = Promise.withResolvers<void>();
  #lastPid = 65_536;

  constructor() {
    this.ended = this.#down.promise;
  }

  run(spec: RunSpec, io: RunIo): Promise<RunHandle> {
    const name = path.basename(spec.program);
    const program = this.programs.get(name);
    if (!program)
      return Promise.reject(new GodwitError('not_a_module', `cannot run ${name}: not a WebAssembly module`));
    const signals = new Mailbox<number>();
    const sizes = new Mailbox<TerminalSize>();
    const pid = ++this.#lastPid;
    const end = program({ pid, spec, io, signal: () => signals.take(), size: () => sizes.take() });
    this.ends.set(pid, end);
    const handle: RunHandle = {
      pid,
      signal: (signal) => signals.put(signal),
      resize: (size) => sizes.put(size),
      ended: end.then((value) => ({ end: value, stats: FAKE_STATS })),
    };
    return Promise.resolve(handle);
  }

  ps(): Promise<readonly ProcessInfo[]> {
    return Promise.resolve(this.processes);
  }

  nodes(): Promise<readonly NodeInfo[]> {
    return Promise.resolve(this.nodeList);
  }

  async migrate(pid: number, target: string): Promise<MoveResult> {
    this.#require(pid);
    if (target === 'pinned') throw new GodwitError('cannot_move', `${pid} stays: user_lock`);
    this.done.push(`migrate ${pid} ${target}`);
    await this.answers;
    return { node: 2, name: target, moved: true, freeze_ms: 1.5, total_ms: 4, image_bytes: 65_536 };
  }

  async kill(pid: number, signal: number): Promise<void> {
    this.#require(pid);
    this.done.push(`kill ${pid} ${signal}`);
    await this.answers;
  }

  wait(pid: number): Promise<ProcessEnd> {
    const end = this.ends.get(pid);
    return end ?? Promise.reject(new GodwitError('unknown_process', `no process ${pid}`));
  }

  logs({ after }: LogQuery): Promise<LogPage> {
    const page = this.log[after] ?? { missing: 0, lines: [], next: after, complete: true };
    return Promise.resolve({ ...page, last: this.log.length });
  }

  token(): Promise<JoinToken> {
    return Promise.resolve({ token: 'secret', address: '127.0.0.1:7370', expires: 1_800_000_000_000 });
  }

  shutdown(): Promise<void> {
    this.#down.resolve();
    return this.ended;
  }

  #require(pid: number): void {
    if (!this.processes.some((process) => process.pid === pid)) {
      throw new GodwitError('unknown_process', `no process ${pid}`);
    }
  }
}
