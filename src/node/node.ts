/**
 * A node as those who administer it see it: the Daemon interface over the processes of this node and, through the
 * {@link ClusterView}, over those of the others.
 */
import { signalByNumber } from '../abi/signals.ts';
import { GodwitError } from '../base/errors.ts';
import type { NodeId, Pid } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import type { Process } from '../kernel/process.ts';
import type { ExitStatus } from '../kernel/status.ts';
import { hasEnded } from '../kernel/unknown.ts';
import type { MoveResult as RoleResult } from '../migration/hosts.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import type { NodeCore } from './core.ts';
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
} from './daemon.ts';
import { detachedIo } from './detached.ts';
import { startHopping } from './hop.ts';
import { launch } from './launch.ts';
import type { LogBook } from './log-book.ts';
import type { ModuleStore } from './modules/modules.ts';
import { processEnd, processInfo, runStats } from './report.ts';

export interface NodeParts {
  readonly self: NodeIdentity;
  readonly core: NodeCore;
  readonly modules: ModuleStore;
  readonly book: LogBook;
  readonly cluster: ClusterView;
  /** Closes what the node is made of, once. */
  readonly close: () => Promise<void>;
}

export class Node implements Daemon {
  readonly self: NodeIdentity;
  readonly ended: Promise<void>;
  readonly #parts: NodeParts;
  readonly #over: () => void;
  readonly #failed: (reason: unknown) => void;
  #closing: Promise<void> | null = null;
  /** How processes of this node ended that nobody knows any more but those who will still ask; the oldest first. */
  readonly #ends = new Map<number, ProcessEnd>();

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.self = parts.self;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#over = resolve;
    this.#failed = reject;
  }

  async run(spec: RunSpec, io: RunIo): Promise<RunHandle> {
    const { core, modules, book, cluster } = this.#parts;
    if (this.#closing) throw new GodwitError('node_down', `node ${this.self.name} is stopping and starts no programs`);
    const target = spec.node === null ? null : cluster.resolve(spec.node);
    const output = spec.detach ? detachedIo(book) : null;
    const away = target !== null && target.id !== this.self.id ? target.id : null;
    const { process, flushed } = await launch(core, modules, spec, output?.io ?? io, away !== null);
    output?.started(process.pid);
    if (away !== null) {
      // One that could not be placed is not followed to its end.
      await this.#place(process, away).catch((error: unknown) => {
        output?.ended();
        throw error;
      });
    }
    const hopping = spec.hopMicros === null ? null : startHopping(core, cluster, process.pid, spec.hopMicros / 1000);
    const ended = this.#followed(process, flushed, () => {
      hopping?.stop();
      output?.ended();
    });
    if (spec.detach) ended.catch(() => {});
    return {
      pid: process.pid,
      signal: (signal) => this.#signal(process, signal),
      // The program has what it was at the start (terminal-size.ts): preview 1 has no call that asks for it.
      resize: () => {},
      ended,
    };
  }

  async ps(): Promise<readonly ProcessInfo[]> {
    const lists = await Promise.all([
      this.localProcesses(),
      ...this.#parts.cluster.peers().map((peer) => peer.processes()),
    ]);
    return lists.flat().sort((a, b) => a.pid - b.pid);
  }

  async nodes(): Promise<readonly NodeInfo[]> {
    return this.#parts.cluster.nodes();
  }

  async migrate(pid: number, target: string): Promise<MoveResult> {
    const { core, cluster } = this.#parts;
    const home = cluster.homeOf(pid);
    const to = target === 'home' ? home : cluster.resolve(target);
    this.#refuseEnded(pid);
    cluster.requireAnswering(home.id);
    await core.started(pid as Pid);
    const result = await new Promise<RoleResult>((resolve) => core.roles.migrate(pid as Pid, home.id, to.id, resolve));
    if (!result.ok) {
      // Moves know nothing of processes that have ended, the home's memory of ends does: it has the better answer.
      if (result.code === 'unknown_process' && home.id !== this.self.id) await home.kill(pid, 0);
      throw new GodwitError(result.code, result.reason);
    }
    const { stats } = result;
    return {
      node: to.id,
      name: to.name,
      moved: stats !== null,
      freeze_ms: stats?.freezeMs ?? 0,
      total_ms: stats?.totalMs ?? 0,
      image_bytes: stats?.imageBytes ?? 0,
    };
  }

  async kill(pid: number, signal: number): Promise<void> {
    const home = this.#parts.cluster.homeOf(pid);
    if (home.id === this.self.id) this.killHere(pid, signal);
    else await home.kill(pid, signal);
  }

  async wait(pid: number, gone?: AbortSignal): Promise<ProcessEnd> {
    const home = this.#parts.cluster.homeOf(pid);
    return home.id === this.self.id ? this.waitHere(pid, gone) : home.wait(pid);
  }

  async logs(query: LogQuery, gone?: AbortSignal): Promise<LogPage> {
    const { core, book, cluster } = this.#parts;
    const process = query.pid === null ? null : core.home.kernel.processes.find(query.pid);
    if (query.pid !== null && !process && !book.knows(query.pid)) {
      const home = cluster.homeOf(query.pid);
      const reason =
        home.id === this.self.id
          ? `nothing is known of a process ${query.pid}; "godwit ps" shows all that there are, "godwit logs" the node's own log`
          : `the log of process ${query.pid} is at its home: run "godwit logs ${query.pid}" on node ${home.name}`;
      throw new GodwitError('unknown_process', reason);
    }
    return book.read(query, () => query.pid !== null && (process === null || process.ended), gone);
  }

  token(): Promise<JoinToken> {
    return this.#parts.cluster.token();
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  // What other nodes ask of this one as well.

  /** The processes whose home is this node. */
  async localProcesses(): Promise<readonly ProcessInfo[]> {
    const { core } = this.#parts;
    await core.reportUsage();
    const { home } = core;
    const processes = home.kernel.processes.list();
    // However many there are, with whatever arguments: the list fits into a message.
    const share = Math.min(LIMITS.commandLineBytes, LIMITS.commandLinesBytes / processes.length);
    return processes.map((process) =>
      processInfo(process, home.memoryBytes(process.pid), home.threads(process.pid), share),
    );
  }

  /** A pid that was one is told from one that never was, while this node remembers. @throws GodwitError `unknown_process` */
  #refuseEnded(pid: number): void {
    const ended = this.#ends.has(pid) || this.#parts.core.home.kernel.processes.find(pid)?.ended;
    if (ended) throw new GodwitError('unknown_process', hasEnded(pid));
  }

  /** @throws GodwitError `unknown_process`, `usage` for a signal that does not exist */
  killHere(pid: number, signal: number): void {
    this.#refuseEnded(pid);
    const process = this.#parts.core.home.kernel.processes.get(pid);
    this.#signal(process, signal);
  }

  /** @throws GodwitError `unknown_process` */
  async waitHere(pid: number, gone?: AbortSignal): Promise<ProcessEnd> {
    const known = this.#ends.get(pid);
    if (known) return known;
    const process = this.#parts.core.home.kernel.processes.get(pid);
    const waiting = process.wait();
    const withdraw = (): void => void waiting.withdraw();
    gone?.addEventListener('abort', withdraw);
    const status = await new Promise<ExitStatus>((resolve) => waiting.whenDone(resolve));
    gone?.removeEventListener('abort', withdraw);
    return processEnd(status);
  }

  async #shutDown(): Promise<void> {
    const { core, close } = this.#parts;
    try {
      core.guests.leave();
      await this.#expel();
      for (const process of core.home.kernel.processes.list()) this.#signal(process, HANGUP);
      await close();
      this.#over();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Sends the guests of other homes back, so that they outlive this node. Those that cannot go are lost with it. */
  async #expel(): Promise<void> {
    const { core } = this.#parts;
    const foreign = [...core.guests.sessions()].filter(({ atHome }) => !atHome);
    const gone = Promise.all(
      foreign.map(({ spec: { pid, home } }) => new Promise((resolve) => core.roles.migrate(pid, home, home, resolve))),
    );
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, TIMING.leavingMs);
    await Promise.race([gone, limit.promise]);
    clearTimeout(timer);
  }

  /** Moves a process that is held at its start to where it was wanted, and lets it run there, or not at all. */
  async #place(process: Process, target: NodeId): Promise<void> {
    const { core } = this.#parts;
    const { self } = this;
    const result = await new Promise<RoleResult>((resolve) =>
      core.roles.migrate(process.pid, self.id as NodeId, target, resolve),
    );
    if (result.ok) {
      process.counters.placed();
      this.#signal(process, CONT);
    }
    // Someone has ended it meanwhile.
    if (result.ok || process.ended) return;
    core.home.kernel.processes.end(process, { how: 'failed', report: result.reason, node: process.node });
    core.home.kernel.processes.reap(process);
    throw new GodwitError(result.code, result.reason);
  }

  async #followed(process: Process, flushed: () => Promise<void>, over: () => void): RunHandle['ended'] {
    const { core, cluster } = this.#parts;
    const status = await new Promise<ExitStatus>((resolve) => process.wait().whenDone(resolve));
    over();
    await flushed();
    core.home.kernel.processes.reap(process);
    const end = processEnd(status);
    this.#remember(process.pid, end);
    return { end, stats: runStats(process, (node) => cluster.nameOf(node)) };
  }

  #remember(pid: number, end: ProcessEnd): void {
    // A pid may have come round again.
    this.#ends.delete(pid);
    this.#ends.set(pid, end);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > LIMITS.rememberedEnds && oldest !== undefined) this.#ends.delete(oldest);
  }

  #signal(process: Process, signal: number): void {
    // Asks only whether the process is there.
    if (signal === 0) return;
    const known = signalByNumber(signal);
    if (!known) throw new GodwitError('usage', `there is no signal ${signal}`);
    this.#parts.core.home.kernel.processes.signal(process, known);
  }
}

const HANGUP = 1;
const CONT = 18;
