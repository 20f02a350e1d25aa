/**
 * One guest on this node, from its arrival or start until it leaves or ends: its worker, the call it is in, and how
 * its calls are carried out. At home they go to the kernel, elsewhere to the home node; the thread cannot tell.
 */
import { decodeArgs } from '../../abi/decode.ts';
import { encodeResults } from '../../abi/encode.ts';
import { ErrnoError } from '../../abi/errno.ts';
import { applyReply, encodeRequest } from '../../abi/marshal.ts';
import type { Preview1Name } from '../../abi/preview1.ts';
import type { Subscription } from '../../abi/types.ts';
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { type CallNumber, type Incarnation, nextCall, type NodeId, type Pid, type Seat } from '../../base/ids.ts';
import { Waiting } from '../../base/waiting.ts';
import { THREAD_SPAWN } from '../../abi/wasi-threads.ts';
import type { RawCall, ThreadCall } from '../../guest/control.ts';
import { GuestMemory } from '../../guest/memory.ts';
import { FIRST_CALL } from '../../kernel/deputy.ts';
import type { HomeCalls } from '../../kernel/homecall.ts';
import type { ArgsOf } from '../../kernel/calls/implementation.ts';
import type { CallResult } from '../../kernel/kernel.ts';
import { relativeToGuest } from '../../kernel/poll.ts';
import type { Usage } from '../../migration/hosts.ts';
import { type CapturedThread, Guest, type GuestEvents, type GuestReport } from './guest.ts';
import type { GuestBaggage, GuestRest } from './guest-baggage.ts';
import type { GuestMemories } from './guest-memories.ts';
import type { LoadedModule } from '../modules/modules.ts';
import type { WorkerPool } from './worker-pool.ts';

/** What a session asks of the home side when its process is at home. */
export interface HomeSide {
  /** See `Deputy.local`. */
  local(pid: Pid, seat: Seat, next: CallNumber): Uint8Array | Waiting<Uint8Array> | null;
  /** null: the call has ended the process. */
  call<N extends Preview1Name>(
    pid: Pid,
    seat: Seat,
    name: N,
    args: ArgsOf<N>,
  ): CallResult<N> | Waiting<CallResult<N>> | null;
  /** The guest is about to run here: gives it the descriptors that its thread may use itself, and their changes. */
  attach(pid: Pid, guest: Guest): void;
  /** It does not run here any more. */
  detach(pid: Pid): void;
}

export interface SessionSpec {
  readonly pid: Pid;
  readonly home: NodeId;
  readonly module: LoadedModule;
  readonly memories: GuestMemories;
  /** How many it will have; 1 if that is not known. */
  readonly threads: number;
}

export interface SessionEnvironment {
  readonly self: NodeId;
  readonly pool: WorkerPool;
  readonly homeSide: HomeSide;
  readonly homeCalls: HomeCalls;
  /** The guest goes on from the state that `run` was given: nothing of it has executed before. */
  readonly takenUp: (session: GuestSession) => void;
  /** Whether this node has room for one thread more. */
  readonly mayAddThread: () => boolean;
  /** It has one thread more. */
  readonly grew: (session: GuestSession) => void;
  /** The guest has left its code: captured, ended or failed. */
  readonly reported: (session: GuestSession, report: GuestReport) => void;
}

/** The call that a thread is in. */
interface PresentCall {
  /** At home: the operation under way. Elsewhere null: it stays under way at home when the guest leaves. */
  readonly waiting: { withdraw(): boolean } | null;
}

export class GuestSession {
  readonly spec: SessionSpec;
  readonly guest: Guest;
  readonly #environment: SessionEnvironment;
  readonly #views: GuestMemory;
  #baggage: GuestBaggage | null = null;
  /** Whether its calls can be made: from `run` until it is packed or ended. */
  #connected = false;
  /** What it had used when its incarnation began: home counts the usage of each incarnation by itself. */
  #before = { cpuNanos: 0n, localCalls: 0 };
  #incarnation: Incarnation | null = null;
  /** Between the process's monotonic clock and this machine's; the thread has the same. */
  #monotonicOffset: bigint | null = null;
  /** By seat. Written here while it is at home, by `homeCalls` while it is away. */
  #nextCalls: CallNumber[] = [];
  /** At home, seats whose first call here has been made: another one may be one that the deputy knows. */
  readonly #asked = new Set<Seat>();
  readonly #calls = new Map<Seat, PresentCall>();
  /** From `capture` until all threads have left their code, or need not any more. */
  #leaving = false;
  #localCalls = 0;
  #lastCpuNanos = 0n;

  /** @throws RangeError if the machine cannot give the memory */
  constructor(spec: SessionSpec, environment: SessionEnvironment) {
    this.spec = spec;
    this.#environment = environment;
    const events: GuestEvents = {
      takenUp: () => environment.takenUp(this),
      called: (seat, call) => this.#called(seat, call),
      reported: (report) => this.#reported(report),
    };
    this.guest = new Guest(spec.module, spec.memories, environment.pool, events, spec.threads);
    this.#views = new GuestMemory(this.guest.memory);
  }

  get atHome(): boolean {
    return this.spec.home === this.#environment.self;
  }

  /** How many threads execute their own code, rather than waiting in a call or for each other, or resting. */
  get computing(): number {
    if (!this.#connected || !this.guest.running) return 0;
    return Math.max(0, this.guest.threads - this.#calls.size - this.guest.waiting.length);
  }

  get memoryBytes(): number {
    return this.guest.memoryBytes;
  }

  /** Has the threads that the guest expects take up their states. Nothing of it executes before {@link run}. */
  takeUp({ baggage, threads }: GuestRest): void {
    const { args, env, cpuNanos, nextThreadId } = baggage;
    const present = threads.reduce((sum, thread) => sum + thread.cpuNanos, 0n);
    this.guest.goOn({ args, env }, threads, nextThreadId, cpuNanos - present);
  }

  /**
   * Runs the guest from its start (`threads` null) or goes on with all its threads, in this incarnation: with the states
   * that they have taken up, if {@link takeUp} came before.
   * @param monotonicOffset of one that comes from elsewhere: by how much its monotonic clock is ahead of this machine's
   */
  run(
    baggage: GuestBaggage,
    threads: readonly CapturedThread[] | null,
    incarnation: Incarnation,
    monotonicOffset = 0n,
  ): void {
    const { pid, home } = this.spec;
    const { args, env, nextCalls, cpuNanos } = baggage;
    this.#baggage = baggage;
    this.#nextCalls = [...nextCalls];
    this.#lastCpuNanos = cpuNanos;
    if (this.#incarnation !== incarnation) this.#before = { cpuNanos, localCalls: this.#localCalls };
    this.#incarnation = incarnation;
    this.guest.expect(threads?.length ?? 1);
    if (this.atHome) {
      this.#asked.clear();
      this.#environment.homeSide.attach(pid, this.guest);
    } else {
      this.#environment.homeCalls.open(pid, home, incarnation, nextCalls);
    }
    this.#connected = true;
    // A new process starts with this machine's clock.
    this.#monotonicOffset ??= monotonicOffset;
    if (threads === null) return this.guest.start({ args, env }, this.#monotonicOffset);
    if (!this.guest.running) this.takeUp({ baggage, threads });
    this.guest.letGo(this.#monotonicOffset);
  }

  /**
   * Makes the guest leave its code with all its threads: from calls that can be left, and at the next safepoints. A
   * report follows: that it is captured, or that it has ended meanwhile.
   */
  capture(): void {
    this.#leaving = true;
    this.guest.capture();
    for (const [seat, { waiting }] of this.#calls) {
      // Withdrawn without effect, or under way at home: the thread makes the call again when it goes on. Otherwise the
      // call has just been answered, and the thread comes to a safepoint.
      if (waiting && !waiting.withdraw()) continue;
      // A reply that is on its way here must not reach the thread any more, which would make the call twice.
      if (!waiting) this.#environment.homeCalls.leave(this.spec.pid, seat);
      this.#calls.delete(seat);
      this.guest.interrupt(seat);
    }
  }

  /** Takes {@link capture} back, unless a thread is on its way out already. */
  release(): void {
    if (this.guest.release()) this.#leaving = false;
  }

  /** The guest has left its code and leaves this node, or rests. @returns what it takes along */
  pack({ cpuNanos }: GuestReport): GuestBaggage {
    const before = this.#baggage;
    assert(before, 'a guest that ran has its baggage');
    this.#disconnect();
    const { args, env } = before;
    const monotonic = this.#monotonic();
    return { args, env, monotonic, cpuNanos, nextCalls: this.#nextCalls, nextThreadId: this.guest.nextThreadId };
  }

  /** CPU time used on this node in this incarnation, in milliseconds. */
  async cpuMs(): Promise<number> {
    if (!this.guest.running) return this.finalCpuMs;
    const sinceRun = await this.guest.cpuNanos(USAGE_AGE_MS);
    // Its report may have come meanwhile, which says it all.
    return this.finalCpuMs + (this.guest.running ? Number(sinceRun) / 1e6 : 0);
  }

  /** The same as its last report said. */
  get finalCpuMs(): number {
    return Number(this.#lastCpuNanos - this.#before.cpuNanos) / 1e6;
  }

  /** What it has used here so far in this incarnation. @param cpuMs from {@link cpuMs} or {@link finalCpuMs} */
  usage(cpuMs: number): Usage {
    // Never negative, even if the thread and its worker read their clocks differently: home would not take it.
    const { memoryBytes } = this;
    const localCalls = BigInt(this.#localCalls - this.#before.localCalls);
    const { threads, waiting } = this.guest;
    return { cpuMs: Math.max(0, cpuMs), memoryBytes: BigInt(memoryBytes), localCalls, threads, waiting };
  }

  /** Ends the guest wherever it is. */
  async end(): Promise<void> {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { waiting } of calls) waiting?.withdraw();
    this.#disconnect();
    await this.guest.end();
  }

  #disconnect(): void {
    if (!this.#connected) return;
    this.#connected = false;
    const { pid } = this.spec;
    if (this.atHome) this.#environment.homeSide.detach(pid);
    else this.#nextCalls = [...this.#environment.homeCalls.close(pid)];
  }

  #reported(report: GuestReport): void {
    this.#leaving = false;
    if (report.type !== 'failed') {
      this.#lastCpuNanos = report.cpuNanos;
      this.#localCalls = report.localCalls;
    }
    this.#environment.reported(this, report);
  }

  get #memory(): Uint8Array {
    return this.#views.current();
  }

  #called(seat: Seat, call: ThreadCall): void {
    const { pid } = this.spec;
    // Begun before the thread saw that it has to leave: it might block, so it is not carried out here any more.
    if (this.#leaving) {
      this.guest.interrupt(seat);
      return;
    }
    if (call.name === THREAD_SPAWN) {
      const [argument] = call.args;
      const id = this.guest.spawn(Number(argument), this.#environment.mayAddThread());
      this.guest.answer(seat, id);
      if (id > 0) this.#environment.grew(this);
    } else if (call.name === 'clock_time_get') {
      this.#tellCpuTime(seat, call, call.name);
    } else if (this.atHome) {
      const first = !this.#asked.has(seat);
      this.#asked.add(seat);
      this.#trusting(IMAGE, () => {
        const known = first ? this.#environment.homeSide.local(pid, seat, this.#nextCallOf(seat)) : null;
        if (known === null) this.#callKernel(seat, call, call.name);
        else this.#take(seat, call, known);
      });
    } else this.#callHome(seat, call, call.name);
  }

  /** Of all threads together, for one that has asked for its process's. */
  #tellCpuTime(seat: Seat, call: RawCall, name: 'clock_time_get'): void {
    if (this.#decode(seat, call, name) === null) return;
    const waiting = new Waiting<bigint>(() => {});
    this.#calls.set(seat, { waiting });
    waiting.whenDone((time) => {
      this.#calls.delete(seat);
      this.#answer(seat, call, name, { value: { time } });
    });
    const before = this.#baggage?.cpuNanos ?? 0n;
    void this.guest.cpuNanos(0).then((sinceRun) => waiting.settle(before + sinceRun));
  }

  #nextCallOf(seat: Seat): CallNumber {
    return this.#nextCalls[seat] ?? FIRST_CALL;
  }

  /**
   * A step that is as good as what another node has sent. If that is wrong, the process ends with a message that says
   * so: the same bytes would come again, so nothing else could end the guest's wait.
   * @param what does not fit
   */
  #trusting(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof GodwitError || error instanceof ErrnoError)) throw error;
      this.#reported({
        type: 'failed',
        message: `${what}: ${error.message}`,
        cpuNanos: this.#lastCpuNanos,
        localCalls: this.#localCalls,
      });
    }
  }

  /** At home, a call that was begun while the process was elsewhere: its result is there or will come. */
  #take(seat: Seat, call: RawCall, known: Uint8Array | Waiting<Uint8Array>): void {
    const done = (reply: Uint8Array): void => {
      this.#calls.delete(seat);
      // Seats below may have made no home call, as long as it was away; they have a number all the same.
      while (this.#nextCalls.length <= seat) this.#nextCalls.push(FIRST_CALL);
      this.#nextCalls[seat] = nextCall(this.#nextCallOf(seat));
      this.#trusting(IMAGE, () => {
        this.guest.answer(seat, applyReply(call.name, call.args, this.#memory, reply));
      });
    };
    if (!(known instanceof Waiting)) {
      done(known);
      return;
    }
    // Taken back when the guest leaves again, the call stays under way, and this session or the next asks again.
    this.#calls.set(seat, { waiting: known });
    known.whenDone(done);
  }

  #callKernel<N extends Preview1Name>(seat: Seat, call: RawCall, name: N): void {
    const args = this.#decode(seat, call, name);
    if (args === null) return;
    const result = this.#environment.homeSide.call(this.spec.pid, seat, name, args);
    // The process is over: its guest is about to be discarded, and the thread waits for that.
    if (result === null) return;
    if (!(result instanceof Waiting)) {
      this.#answer(seat, call, name, result);
      return;
    }
    this.#calls.set(seat, { waiting: result });
    result.whenDone((settled) => {
      this.#calls.delete(seat);
      this.#answer(seat, call, name, settled);
    });
  }

  /** The call's arguments, or null if they are wrong, which the thread has been told. */
  #decode<N extends Preview1Name>(seat: Seat, call: RawCall, name: N): ArgsOf<N> | null {
    try {
      const args = decodeArgs(name, call.args, this.#memory);
      return isPoll(args) ? { ...args, subscriptions: this.#relative(args.subscriptions) } : args;
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      this.guest.answer(seat, error.errno);
      return null;
    }
  }

  /** Whoever carries out a poll has another monotonic clock than the process. */
  #relative(subscriptions: readonly Subscription[]): readonly Subscription[] {
    return relativeToGuest(subscriptions, this.#monotonic());
  }

  /** What the process's clock shows now. */
  #monotonic(): bigint {
    return process.hrtime.bigint() + (this.#monotonicOffset ?? 0n);
  }

  #answer<N extends Preview1Name>(seat: Seat, call: RawCall, name: N, result: CallResult<N>): void {
    if ('value' in result) encodeResults(name, call.args, this.#memory, result.value);
    this.guest.answer(seat, 'errno' in result ? result.errno : 0);
  }

  #callHome<N extends Preview1Name>(seat: Seat, call: RawCall, name: N): void {
    const args = this.#decode(seat, call, name);
    if (args === null) return;
    this.#calls.set(seat, { waiting: null });
    const { pid, home } = this.spec;
    this.#environment.homeCalls.call(pid, seat, encodeRequest(name, args), (reply) => {
      this.#calls.delete(seat);
      this.#trusting(`node ${home}, its home, has answered ${name} wrongly`, () => {
        this.guest.answer(seat, applyReply(name, call.args, this.#memory, reply));
      });
    });
  }
}

/** How old figures may be that are for people. */
const USAGE_AGE_MS = 50;

/** Of the first call after a resumption: that it is one that home knows is as good as the image. */
const IMAGE = 'its image does not fit its calls';

/** Only poll_oneoff has subscriptions, and its table entry says of what type. */
function isPoll(args: object): args is { readonly subscriptions: readonly Subscription[] } {
  return 'subscriptions' in args;
}
