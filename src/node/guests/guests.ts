/**
 * All guests of this node, whatever their home: carries out what the roles of a move ask of guests
 * (migration/hosts.ts), with real workers.
 */
import { freemem } from 'node:os';
import type { Log } from '../../base/env.ts';
import { assert } from '../../base/assert.ts';
import { GodwitError, requestFailure } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../../base/ids.ts';
import type { MemorySize } from '../../capture/layout/memory.ts';
import { ENGINE_VERSION } from '../../capture/rewriting/rewrite.ts';
import type { DestinationHost, GuestHost, ProcessSpec, SourceHost } from '../../migration/hosts.ts';
import type { Roles } from '../../migration/roles.ts';
import { Arrival } from './arrival.ts';
import type { GuestReport } from './guest.ts';
import { type GuestRest, staysOf } from './guest-baggage.ts';
import { GuestSession, type SessionEnvironment } from './guest-session.ts';
import { imageOf, sizesToReceive } from './guest-image.ts';
import type { LoadedModule } from '../modules/modules.ts';

/** A guest here, or a reservation for one. */
interface Entry {
  readonly session: GuestSession;
  readonly home: NodeId;
  incarnation: Incarnation | null;
  /** From the first byte of its image until it goes on here: nothing of it has executed here yet. */
  arrival: Arrival | null;
  /** Set from `freeze` until it is resumed or gone. */
  freezing: MoveId | null;
  /** Captured: what it goes on from. */
  rest: GuestRest | null;
}

export interface GuestsEnvironment extends Omit<SessionEnvironment, 'takenUp' | 'mayAddThread' | 'grew' | 'reported'> {
  readonly log: Log;
  readonly roles: () => Roles;
  /** The module with that hash: from memory, the cache, or the node that sends the process. @throws GodwitError */
  readonly module: (hash: Uint8Array, from: NodeId) => Promise<LoadedModule>;
}

export class NodeGuests implements GuestHost, SourceHost, DestinationHost {
  readonly #environment: GuestsEnvironment;
  readonly #entries = new Map<Pid, Entry>();
  /** Reservations that are being made or stand: the move that each is for. */
  readonly #expected = new Map<Pid, MoveId>();
  /** Home is about to be told how many threads they have. */
  readonly #growing = new WeakSet<GuestSession>();
  #leaving = false;

  constructor(environment: GuestsEnvironment) {
    this.#environment = environment;
  }

  session(pid: Pid): GuestSession | undefined {
    return this.#entries.get(pid)?.session;
  }

  /** How many guests run, rest or are expected here. */
  get size(): number {
    return this.#entries.size;
  }

  /** Sessions that run or rest here, reservations included. */
  *sessions(): Iterable<GuestSession> {
    for (const { session } of this.#entries.values()) yield session;
  }

  /** A new process starts here, at its home. @throws GodwitError `limit` if there is no memory for it */
  async create(
    pid: Pid,
    module: LoadedModule,
    args: readonly Uint8Array[],
    env: readonly Uint8Array[],
  ): Promise<(incarnation: Incarnation) => void> {
    const entry = this.#enter(pid, this.#environment.self, module, module.memories, 1);
    await entry.session.guest.ready();
    return (incarnation) => {
      entry.incarnation = incarnation;
      const baggage = { args, env, monotonic: 0n, cpuNanos: 0n, nextCalls: [], nextThreadId: 1 };
      entry.session.run(baggage, null, incarnation);
    };
  }

  /** Takes no guests from other nodes any more: this one is about to stop, and sends away those that it has. */
  leave(): void {
    this.#leaving = true;
  }

  /** Ends every guest here. */
  async close(): Promise<void> {
    const sessions = [...this.sessions()];
    this.#entries.clear();
    await Promise.all(sessions.map((session) => session.end()));
  }

  // GuestHost

  pause(pid: Pid): void {
    this.#entries.get(pid)?.session.guest.stop();
  }

  go(pid: Pid): void {
    this.#entries.get(pid)?.session.guest.cont();
  }

  discard(pid: Pid): void {
    const entry = this.#entries.get(pid);
    this.#entries.delete(pid);
    void entry?.session.end();
  }

  // SourceHost

  freeze(pid: Pid, move: MoveId): void {
    const entry = this.#entries.get(pid);
    assert(entry, `process ${pid} is frozen where it is not`);
    entry.freezing = move;
    this.#environment.pool.postpone();
    entry.session.capture();
  }

  resume(pid: Pid, incarnation: Incarnation): void {
    const entry = this.#entries.get(pid);
    assert(entry, `process ${pid} is resumed where it is not`);
    entry.freezing = null;
    entry.incarnation = incarnation;
    const { rest } = entry;
    // Not captured yet: the report of the capture, if it still comes, is answered with going on.
    if (!rest) return entry.session.release();
    entry.rest = null;
    entry.session.run(rest.baggage, rest.threads, incarnation);
  }

  // DestinationHost

  reserve(pid: Pid, move: MoveId, spec: ProcessSpec, home: NodeId): void {
    this.#expected.set(pid, move);
    void this.#reserve(pid, move, spec, home);
  }

  async #reserve(pid: Pid, move: MoveId, spec: ProcessSpec, home: NodeId): Promise<void> {
    const roles = this.#environment.roles();
    // The move may be given up, and another one begun, while this waits.
    const wanted = (): boolean => this.#expected.get(pid) === move;
    try {
      if (this.#leaving) throw new GodwitError('node_down', 'it is stopping; choose another node');
      if (spec.engine !== String(ENGINE_VERSION)) {
        throw new GodwitError(
          'version_mismatch',
          `its engine is ${ENGINE_VERSION}, the process's ${spec.engine}; install the same Godwit on all nodes`,
        );
      }
      if (spec.memoryBytes > BigInt(freemem())) {
        throw new GodwitError(
          'limit',
          `it needs ${spec.memoryBytes} bytes of memory, ${freemem()} are free there; choose another node`,
        );
      }
      const module = await this.#environment.module(spec.module, home);
      if (!wanted()) return;
      const sizes = sizesToReceive(module.memories, Number(spec.memoryBytes));
      const entry = this.#enter(pid, home, module, sizes, spec.threads, true);
      this.#environment.pool.postpone();
      const { guest } = entry.session;
      // Workers that know the program are told to prepare when its image begins to come, and are ready before its end:
      // until then its source and its home, maybe on this machine, have more urgent work for the processors.
      if (!guest.readySoon) await guest.ready();
      if (wanted()) roles.reserved(pid, move);
    } catch (error) {
      const { message } = requestFailure(error, this.#environment.log, `reservation for process ${pid}`);
      if (!wanted()) return;
      this.giveUp(pid);
      roles.refused(pid, move, message);
    }
  }

  open(pid: Pid): string | null {
    const entry = this.#reservation(pid);
    entry.arrival = new Arrival(entry.session, (threads) => this.#checkThreads(threads));
    return null;
  }

  write(pid: Pid, chunk: Uint8Array): void {
    const { arrival } = this.#reservation(pid);
    assert(arrival, 'image bytes follow an opened image');
    arrival.write(chunk);
  }

  seal(pid: Pid, move: MoveId, digest: Uint8Array): void {
    void this.#seal(pid, move, digest);
  }

  async #seal(pid: Pid, move: MoveId, digest: Uint8Array): Promise<void> {
    const entry = this.#reservation(pid);
    const roles = this.#environment.roles();
    try {
      assert(entry.arrival, 'an image is sealed after it was opened');
      await entry.arrival.complete(digest);
      if (this.#entries.get(pid) === entry) roles.sealed(pid, move);
    } catch (error) {
      const { message } = requestFailure(error, this.#environment.log, `image of process ${pid}, which has arrived`);
      if (this.#entries.get(pid) === entry) roles.unsealed(pid, move, message);
    }
  }

  start(pid: Pid, incarnation: Incarnation, _home: NodeId, paused: boolean, frozenMs: number): void {
    const entry = this.#reservation(pid);
    const { arrival } = entry;
    const rest = arrival?.rest;
    assert(arrival && rest, 'a process is started from a sealed image');
    // A program that has slept must find that its own clock, too, went on for so long (POSIX, clock_nanosleep).
    const monotonicNow = rest.baggage.monotonic + BigInt(Math.ceil(frozenMs * 1e6));
    const monotonicOffset = monotonicNow - process.hrtime.bigint();
    entry.incarnation = incarnation;
    this.#expected.delete(pid);
    this.#environment.pool.postpone();
    arrival.committed = true;
    const { reason } = arrival;
    if (reason !== null) return this.#environment.roles().startFailed(pid, reason);
    if (paused) entry.session.guest.stop();
    if (arrival.takenUp) this.#started(pid, entry);
    entry.session.run(rest.baggage, rest.threads, incarnation, monotonicOffset);
  }

  giveUp(pid: Pid): void {
    this.#expected.delete(pid);
    this.discard(pid);
  }

  #reservation(pid: Pid): Entry {
    const entry = this.#entries.get(pid);
    assert(entry, `nothing is reserved for process ${pid}`);
    return entry;
  }

  /** Threads that run, rest or are expected here. */
  get #threads(): number {
    let threads = 0;
    for (const { guest } of this.sessions()) threads += guest.threads;
    return threads;
  }

  #checkThreads(more: number): void {
    if (this.#threads + more <= LIMITS.guestThreadsPerNode) return;
    throw new GodwitError(
      'limit',
      `this node runs ${this.#threads} threads of processes, of ${LIMITS.guestThreadsPerNode}`,
    );
  }

  #enter(
    pid: Pid,
    home: NodeId,
    module: LoadedModule,
    sizes: readonly MemorySize[],
    threads: number,
    arriving = false,
  ): Entry {
    this.#checkThreads(threads);
    const memories = { sizes, host: module.hostMemory, arriving };
    const { pool, homeSide, homeCalls, self } = this.#environment;
    try {
      const session = new GuestSession(
        { pid, home, module, memories, threads },
        {
          self,
          pool,
          homeSide,
          homeCalls,
          takenUp: () => this.#takenUp(pid),
          mayAddThread: () => this.#threads < LIMITS.guestThreadsPerNode && freemem() >= LIMITS.threadFreeBytes,
          grew: (grown) => void this.#tellGrowth(grown),
          reported: (_session, report) => this.#reported(pid, report),
        },
      );
      const entry: Entry = {
        session,
        home,
        incarnation: null,
        arrival: null,
        freezing: null,
        rest: null,
      };
      this.#entries.set(pid, entry);
      return entry;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const pages = sizes.reduce((sum, { initialPages }) => sum + initialPages, 0);
      throw new GodwitError('limit', `not enough memory for ${pages * 64} KiB: ${error.message}`, { cause: error });
    }
  }

  /**
   * Home has a destination prepare a worker for each thread that it knows of, and what is not prepared is made while the
   * process stands still: home hears of new threads at once, of several together.
   */
  async #tellGrowth(session: GuestSession): Promise<void> {
    if (session.atHome || this.#growing.has(session)) return;
    this.#growing.add(session);
    const cpuMs = await session.cpuMs();
    this.#growing.delete(session);
    const { pid } = session.spec;
    if (this.session(pid) === session) this.#environment.roles().reportUsage(pid, session.usage(cpuMs));
  }

  #takenUp(pid: Pid): void {
    const entry = this.#entries.get(pid);
    if (!entry?.arrival) return;
    entry.arrival.takenUp = true;
    if (entry.arrival.committed) this.#started(pid, entry);
  }

  /** Home hears of a start before anything that the guest asks of it. */
  #started(pid: Pid, entry: Entry): void {
    entry.arrival = null;
    this.#environment.roles().started(pid);
  }

  /** It has left its code for a move, and its image is made. Meanwhile the move may be called off, or the guest end. */
  async #image(entry: Entry, move: MoveId, rest: GuestRest, stoppedAt: number): Promise<void> {
    const { session } = entry;
    const { pid, module } = session.spec;
    const { roles, log } = this.#environment;
    const wanted = (): boolean => this.#entries.get(pid) === entry && entry.rest === rest;
    try {
      const image = await imageOf(module, session.guest.memories.all, rest);
      if (!wanted()) return;
      session.guest.memories.imageRead(image);
      const usage = session.usage(session.finalCpuMs);
      roles().frozen(pid, move, image, usage, () => performance.now() - stoppedAt);
    } catch (error) {
      // Whatever it is, the guest is as it was: home has it go on.
      const { message } = requestFailure(error, log, `image of process ${pid}`);
      if (wanted()) roles().failed(pid, move, message);
    }
  }

  #reported(pid: Pid, report: GuestReport): void {
    const entry = this.#entries.get(pid);
    if (!entry) return;
    const { session, arrival } = entry;
    if (arrival) {
      const reason = 'message' in report ? report.message : `it ${report.type} before it ran`;
      if (arrival.committed) this.#environment.roles().startFailed(pid, reason);
      else arrival.fail(reason);
      return;
    }
    if (report.type === 'captured') {
      // Before its clock is read, so that no time is left out.
      const stoppedAt = performance.now() - report.leavingMs;
      const rest = { threads: report.threads, baggage: session.pack(report) };
      const move = entry.freezing;
      const stays = staysOf(report.threads);
      if (move !== null && stays.length === 0) {
        entry.rest = rest;
        void this.#image(entry, move, rest, stoppedAt);
        return;
      }
      // It may not leave, or the move was called off while its threads were on their way out.
      entry.freezing = null;
      assert(entry.incarnation !== null, 'a guest that ran has an incarnation');
      session.run(rest.baggage, rest.threads, entry.incarnation);
      if (move !== null) this.#environment.roles().cannot(pid, move, stays);
      return;
    }
    if (report.type === 'failed') this.#environment.log.warn('guest failed', { pid, reason: report.message });
    const usage = session.usage(session.finalCpuMs);
    const end = {
      exited: { cause: 'exit', report: null },
      trapped: { cause: 'trap', report: report.type === 'trapped' ? report.message : null },
      failed: { cause: 'engine', report: report.type === 'failed' ? report.message : null },
    } as const;
    const status = report.type === 'exited' ? report.status : 0;
    // What it leaves behind is this report: home's word, whenever it comes, finds no worker to end any more.
    this.discard(pid);
    this.#environment.roles().ended(pid, { ...end[report.type], status, usage });
  }
}
