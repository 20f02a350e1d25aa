/**
 * One guest on this node, from its arrival or start until it leaves or ends: its worker, the call it is in, and how
 * its calls are carried out. At home they go to the kernel, elsewhere to the home node; the thread cannot tell.
 */
import { decodeArgs } from '../abi/decode.ts';
import { encodeResults } from '../abi/encode.ts';
import { ErrnoError } from '../abi/errno.ts';
import { applyReply, encodeRequest } from '../abi/marshal.ts';
import type { Preview1Name } from '../abi/preview1.ts';
import type { Subscription } from '../abi/types.ts';
import { assert } from '../base/assert.ts';
import { GodwitError } from '../base/errors.ts';
import {
  type CallNumber,
  callNumber,
  FIRST_SEAT,
  type Incarnation,
  nextCall,
  type NodeId,
  type Pid,
  type Seat,
} from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { MachineState } from '../capture/state.ts';
import type { RawCall } from '../guest/control.ts';
import { GuestMemory } from '../guest/memory.ts';
import type { GuestContext, GuestReport } from '../guest/messages.ts';
import type { HomeCalls } from '../kernel/homecall.ts';
import type { ArgsOf } from '../kernel/calls/implementation.ts';
import type { CallResult } from '../kernel/kernel.ts';
import { relativeToGuest } from '../kernel/poll.ts';
import type { Usage } from '../migration/hosts.ts';
import { Guest, type GuestMemories } from './guest.ts';
import type { LoadedModule } from './modules.ts';
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

/** What a guest takes with it besides its machine. */
export interface GuestBaggage {
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly monotonic: bigint;
  readonly cpuNanos: bigint;
  /** The number of its next home call, or of the one that it is in. */
  readonly nextCall: CallNumber;
}

export interface SessionSpec {
  readonly pid: Pid;
  readonly home: NodeId;
  readonly module: LoadedModule;
  readonly memories: GuestMemories;
}

export interface SessionEnvironment {
  readonly self: NodeId;
  readonly pool: WorkerPool;
  readonly homeSide: HomeSide;
  readonly homeCalls: HomeCalls;
  /** The guest goes on from the state that `run` was given: nothing of it has executed before. */
  readonly takenUp: (session: GuestSession) => void;
  /** The guest has left its code: captured, ended or failed. */
  readonly reported: (session: GuestSession, report: GuestReport) => void;
}

/** The call that the thread is in. */
interface PresentCall {
  readonly raw: RawCall;
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
  /** CPU time of this node is counted from here. */
  #cpuBefore: bigint | null = null;
  /** Between the process's monotonic clock and this machine's; the thread has the same. */
  #monotonicOffset: bigint | null = null;
  #nextCall: CallNumber = callNumber(1);
  /** At home, before the first call after a resumption: it may be one that the deputy knows. */
  #askDeputy = false;
  #call: PresentCall | null = null;
  /** From `capture` until the thread has left its code, or need not any more. */
  #leaving = false;
  #localCalls = 0;
  #lastCpuNanos = 0n;

  /** @throws RangeError if the machine cannot give the memory */
  constructor(spec: SessionSpec, environment: SessionEnvironment) {
    this.spec = spec;
    this.#environment = environment;
    this.guest = new Guest(spec.module, spec.memories, environment.pool, {
      takenUp: () => environment.takenUp(this),
      called: (call) => this.#called(call),
      reported: (report) => this.#reported(report),
    });
    this.#views = new GuestMemory(this.guest.memory);
  }

  get atHome(): boolean {
    return this.spec.home === this.#environment.self;
  }

  /** Whether it executes its own code, rather than waiting in a call or resting. */
  get wantsToCompute(): boolean {
    return this.guest.running && this.#call === null;
  }

  get memoryBytes(): number {
    return this.guest.memoryBytes;
  }

  /** Runs the guest from its start (`state` null) or from a state, in this incarnation. */
  run(baggage: GuestBaggage, state: MachineState | null, incarnation: Incarnation): void {
    const { pid, home } = this.spec;
    this.#baggage = baggage;
    this.#nextCall = baggage.nextCall;
    this.#cpuBefore ??= baggage.cpuNanos;
    this.#lastCpuNanos = baggage.cpuNanos;
    if (this.atHome) {
      this.#askDeputy = state !== null;
      this.#environment.homeSide.attach(pid, this.guest);
    } else {
      this.#environment.homeCalls.open(pid, home, incarnation, [baggage.nextCall]);
    }
    this.#connected = true;
    const { args, env, monotonic, cpuNanos } = baggage;
    // A new process starts with this machine's clock.
    this.#monotonicOffset ??= state === null ? 0n : monotonic - process.hrtime.bigint();
    const context: GuestContext = { args, env, monotonicOffset: this.#monotonicOffset, cpuNanos };
    this.guest.run(context, state);
  }

  /**
   * Makes the guest leave its code: from a call that can be left, or at the next safepoint. A report follows: that it
   * is captured, or that it has ended meanwhile.
   */
  capture(): void {
    this.#leaving = true;
    this.guest.capture();
    const call = this.#call;
    if (!call) return;
    // Withdrawn without effect, or under way at home: the thread makes the call again when it goes on. Otherwise the
    // call has just been answered, and the thread comes to a safepoint.
    if (call.waiting && !call.waiting.withdraw()) return;
    // A reply that is on its way here must not reach the thread any more, which would make the call twice.
    if (!call.waiting) this.#environment.homeCalls.leave(this.spec.pid, FIRST_SEAT);
    this.#call = null;
    // At once: a reply that still comes must not answer a thread that is on its way out.
    if (!this.atHome) this.#disconnect();
    this.guest.interrupt();
  }

  /** Takes {@link capture} back, unless the thread is on its way out already. */
  release(): void {
    this.#leaving = false;
    this.guest.release();
  }

  /** The guest has left its code and leaves this node, or rests. @returns what it takes along */
  pack(report: GuestReport): GuestBaggage {
    const before = this.#baggage;
    assert(before, 'a guest that ran has its baggage');
    this.#disconnect();
    const { monotonic, cpuNanos } = report;
    return { args: before.args, env: before.env, monotonic, cpuNanos, nextCall: this.#nextCall };
  }

  /** CPU time used on this node, in milliseconds. */
  async cpuMs(): Promise<number> {
    if (!this.guest.running) return this.finalCpuMs;
    const sinceRun = await this.guest.cpuNanos();
    // Its report may have come meanwhile, which says it all.
    return this.finalCpuMs + (this.guest.running ? Number(sinceRun) / 1e6 : 0);
  }

  /** The same as its last report said. */
  get finalCpuMs(): number {
    return Number(this.#lastCpuNanos - (this.#cpuBefore ?? 0n)) / 1e6;
  }

  /** What it has used here so far. @param cpuMs from {@link cpuMs} or {@link finalCpuMs} */
  usage(cpuMs: number): Usage {
    // Never negative, even if the thread and its worker read their clocks differently: home would not take it.
    return { cpuMs: Math.max(0, cpuMs), memoryBytes: BigInt(this.memoryBytes), localCalls: BigInt(this.#localCalls) };
  }

  /** Ends the guest wherever it is. */
  async end(): Promise<void> {
    const call = this.#call;
    this.#call = null;
    call?.waiting?.withdraw();
    this.#disconnect();
    await this.guest.end();
  }

  #disconnect(): void {
    if (!this.#connected) return;
    this.#connected = false;
    const { pid } = this.spec;
    if (this.atHome) this.#environment.homeSide.detach(pid);
    else this.#nextCall = this.#environment.homeCalls.close(pid)[FIRST_SEAT] ?? this.#nextCall;
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

  #called(call: RawCall): void {
    const { pid } = this.spec;
    // Begun before the thread saw that it has to leave: it might block, so it is not carried out here any more.
    if (this.#leaving) {
      this.guest.interrupt();
      return;
    }
    if (!this.atHome) {
      this.#callHome(call, call.name);
      return;
    }
    const ask = this.#askDeputy;
    this.#askDeputy = false;
    this.#trusting(IMAGE, () => {
      const known = ask ? this.#environment.homeSide.local(pid, FIRST_SEAT, this.#nextCall) : null;
      if (known === null) this.#callKernel(call, call.name);
      else this.#take(call, known);
    });
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
        monotonic: 0n,
      });
    }
  }

  /** At home, a call that was begun while the process was elsewhere: its result is there or will come. */
  #take(call: RawCall, known: Uint8Array | Waiting<Uint8Array>): void {
    const done = (reply: Uint8Array): void => {
      this.#call = null;
      this.#nextCall = nextCall(this.#nextCall);
      this.#trusting(IMAGE, () => {
        this.guest.answer(applyReply(call.name, call.args, this.#memory, reply));
      });
    };
    if (!(known instanceof Waiting)) {
      done(known);
      return;
    }
    // Taken back when the guest leaves again, the call stays under way, and this session or the next asks again.
    this.#call = { raw: call, waiting: known };
    known.whenDone(done);
  }

  #callKernel<N extends Preview1Name>(call: RawCall, name: N): void {
    const args = this.#decode(call, name);
    if (args === null) return;
    const result = this.#environment.homeSide.call(this.spec.pid, FIRST_SEAT, name, args);
    // The process is over: its guest is about to be discarded, and its thread waits for that.
    if (result === null) return;
    if (!(result instanceof Waiting)) {
      this.#answer(call, name, result);
      return;
    }
    this.#call = { raw: call, waiting: result };
    result.whenDone((settled) => {
      this.#call = null;
      this.#answer(call, name, settled);
    });
  }

  /** The call's arguments, or null if they are wrong, which the thread has been told. */
  #decode<N extends Preview1Name>(call: RawCall, name: N): ArgsOf<N> | null {
    try {
      const args = decodeArgs(name, call.args, this.#memory);
      return isPoll(args) ? { ...args, subscriptions: this.#relative(args.subscriptions) } : args;
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      this.guest.answer(error.errno);
      return null;
    }
  }

  /** Whoever carries out a poll has another monotonic clock than the process. */
  #relative(subscriptions: readonly Subscription[]): readonly Subscription[] {
    return relativeToGuest(subscriptions, process.hrtime.bigint() + (this.#monotonicOffset ?? 0n));
  }

  #answer<N extends Preview1Name>(call: RawCall, name: N, result: CallResult<N>): void {
    if ('value' in result) encodeResults(name, call.args, this.#memory, result.value);
    this.guest.answer('errno' in result ? result.errno : 0);
  }

  #callHome<N extends Preview1Name>(call: RawCall, name: N): void {
    const args = this.#decode(call, name);
    if (args === null) return;
    this.#call = { raw: call, waiting: null };
    const { pid, home } = this.spec;
    this.#environment.homeCalls.call(pid, FIRST_SEAT, encodeRequest(name, args), (reply) => {
      this.#call = null;
      this.#trusting(`node ${home}, its home, has answered ${name} wrongly`, () => {
        this.guest.answer(applyReply(name, call.args, this.#memory, reply));
      });
    });
  }
}

/** Of the first call after a resumption: that it is one that home knows is as good as the image. */
const IMAGE = 'its image does not fit its calls';

/** Only poll_oneoff has subscriptions, and its table entry says of what type. */
function isPoll(args: object): args is { readonly subscriptions: readonly Subscription[] } {
  return 'subscriptions' in args;
}
