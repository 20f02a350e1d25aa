/**
 * A process as its home node knows it, wherever its guest runs: the deputy's half. Everything here belongs to the
 * home node's main thread; "written by" names the part of it that may change a field.
 */
import type { Preview1Name } from '../abi/preview1.ts';
import type { Subscription } from '../abi/types.ts';
import { assert } from '../base/assert.ts';
import type { Clock, Random } from '../base/env.ts';
import type { Incarnation, NodeId, Pid, Seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import { ProcessCounters } from './counters.ts';
import { type DescriptorListener, DescriptorTable } from './descriptors.ts';
import type { ExitStatus } from './status.ts';
import type { StayReason } from './stay.ts';

/** What a process starts with and keeps. Texts as bytes, as the program sees them, without the NUL at the end. */
export interface ProcessIdentity {
  readonly pid: Pid;
  /** null: its parent is not a process of the cluster */
  readonly ppid: Pid | null;
  /** What the user called it by: argv as text, for `ps`. */
  readonly command: readonly string[];
  readonly args: readonly Uint8Array[];
  /** `NAME=value` entries. */
  readonly env: readonly Uint8Array[];
  /** The user's working directory on the home node's machine; a path for people, nothing is resolved against it. */
  readonly cwd: string;
}

/** Time and chance as a process sees them. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
}

/** A call that has not finished; at most one a thread. */
export interface BlockedCall {
  readonly name: Preview1Name;
  /** Takes the call back as `Waiting.withdraw` does. */
  readonly withdraw: () => boolean;
}

/**
 * `starting`: has no guest yet. `alive`: has one; it may be stopped, blocked and moving all at once.
 * `ended`: has neither guest nor descriptors, only a status.
 */
export type Life =
  | { readonly phase: 'starting' }
  | { readonly phase: 'alive' }
  | { readonly phase: 'ended'; readonly status: ExitStatus };

/** What `ps` shows, the most telling first. `blocked`: none of its threads can compute before something else happens. */
export type ProcessState = 'starting' | 'running' | 'blocked' | 'stopped' | 'moving' | 'ended';

/** The threads of a process. */
export interface Threads {
  readonly count: number;
  /** Those that wait for others of them (memory.atomic.wait). */
  readonly waiting: readonly Seat[];
}

export const ONE_THREAD: Threads = { count: 1, waiting: [] };

/** One subscription of a poll_oneoff that was withdrawn, so that its time goes on when the call is made again. */
export interface InterruptedWait {
  readonly subscription: Subscription;
  /** When it was first made, in monotonic milliseconds. */
  readonly since: number;
}

export class Process {
  readonly identity: ProcessIdentity;
  readonly surroundings: Surroundings;
  readonly descriptors: DescriptorTable;
  readonly counters = new ProcessCounters();
  /** Why it may not move now. Written by whoever holds or gives up a reason. */
  readonly stay = new Set<StayReason>();
  /** Why it could not be captured when that was last tried; whether it still is so, only the next try shows. Written by the migration's home role. */
  heldBy: readonly StayReason[] = [];

  /** Where its guest is. Written by the migration's home role, in one step with {@link incarnation}. */
  node: NodeId;
  /** Written by the migration's home role. */
  incarnation: Incarnation;
  /** Where it is being moved to, or null. Written by the migration's home role. */
  movingTo: NodeId | null = null;
  /** Stopped by a signal. Written by the process table. */
  stopped = false;
  /** Of its threads, by seat. Written by the kernel's dispatcher. */
  readonly blocked = new Map<Seat, BlockedCall>();
  /** Likewise. Written by poll_oneoff and the dispatcher. */
  readonly interruptedPolls = new Map<Seat, readonly InterruptedWait[]>();

  #life: Life = { phase: 'starting' };
  readonly #waiters = new Set<Waiting<ExitStatus>>();

  constructor(
    identity: ProcessIdentity,
    surroundings: Surroundings,
    place: { readonly node: NodeId; readonly incarnation: Incarnation },
    descriptorChanged: DescriptorListener,
  ) {
    this.identity = identity;
    this.surroundings = surroundings;
    this.node = place.node;
    this.incarnation = place.incarnation;
    this.descriptors = new DescriptorTable(descriptorChanged);
  }

  get pid(): Pid {
    return this.identity.pid;
  }

  get life(): Life {
    return this.#life;
  }

  get ended(): boolean {
    return this.#life.phase === 'ended';
  }

  /** Its status, or null while it lives. */
  get status(): ExitStatus | null {
    return this.#life.phase === 'ended' ? this.#life.status : null;
  }

  /** @param threads that its guest has; they are the guest's to know, not the kernel's */
  stateWith({ count, waiting }: Threads): ProcessState {
    if (this.#life.phase !== 'alive') return this.#life.phase;
    if (this.movingTo !== null) return 'moving';
    if (this.stopped) return 'stopped';
    // A thread that has gone from a wait to a call since `waiting` was asked for is in both.
    return new Set([...this.blocked.keys(), ...waiting]).size >= count ? 'blocked' : 'running';
  }

  /**
   * Its guest exists now.
   * @returns false if it was ended before that, by a signal: the guest must not run then
   */
  begin(): boolean {
    assert(this.#life.phase !== 'alive', 'a process begins once');
    if (this.#life.phase === 'ended') return false;
    this.#life = { phase: 'alive' };
    return true;
  }

  /**
   * Its status once it has ended, to any number of waiters. Withdrawing takes the waiter away.
   */
  wait(): Waiting<ExitStatus> {
    const waiting = new Waiting<ExitStatus>(() => {
      this.#waiters.delete(waiting);
    });
    if (this.#life.phase === 'ended') waiting.settle(this.#life.status);
    else this.#waiters.add(waiting);
    return waiting;
  }

  /**
   * Ends it: the calls that it is in are taken back, its descriptors are closed, its waiters are told. Only the process
   * table calls this; others use Processes.end.
   * @param threadsGone see DescriptorTable.closeAll
   */
  end(status: ExitStatus, threadsGone: Promise<void> | null): void {
    assert(this.#life.phase !== 'ended', 'a process ends once');
    this.#life = { phase: 'ended', status };
    const calls = [...this.blocked.values()];
    this.blocked.clear();
    this.interruptedPolls.clear();
    for (const call of calls) call.withdraw();
    this.descriptors.closeAll(threadsGone);
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiting of waiters) waiting.settle(status);
  }
}
