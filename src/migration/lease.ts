/**
 * Leases: what keeps a guest that home has given up from running beside its successor.
 *
 * A node that holds guests of a home asks it for a lease every `renewMs`. Home's answer carries the question's time
 * back, so the lease counts from the question on the *asker's* clock: a late or replayed answer cannot lengthen it.
 * Without a valid lease the guests of that home are paused. Home, before it lets another copy of a process run because
 * a node is down, stops granting to that node and waits until its last grant has surely run out (migration/timing.ts).
 *
 * What remains: a node that is stopped as a whole (SIGSTOP, a suspended machine) cannot pause anything meanwhile.
 * When it goes on, its guests may execute until the daemon's first turn finds the lease expired. No harm comes of it:
 * away from home a guest changes nothing outside its memory but by calls to home, which accepts those of the current
 * incarnation only. Time is measured on two clocks, and the lease ends when either says so: the monotonic one does not
 * jump, the other goes on while a machine is suspended.
 */
import type { Clock, Timer } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import { TIMES } from './timing.ts';

const LEASE_NANOS = BigInt(TIMES.leaseMs) * 1_000_000n;

type Send = (to: NodeId, message: ProcessMessage) => void;

/** When a lease ends, on both clocks. */
interface Until {
  readonly monotonicMs: number;
  readonly wallNanos: bigint;
}

interface Kept {
  /** Guests and reservations that need the lease. */
  users: number;
  until: Until | null;
  ask: Timer;
  end: Timer | null;
}

/** The side of the guest's node: one lease for each home of which it holds something. */
export class LeaseKeeper {
  readonly #self: NodeId;
  readonly #clock: Clock;
  readonly #send: Send;
  readonly #onChange: (home: NodeId) => void;
  readonly #kept = new Map<NodeId, Kept>();

  /** @param onChange called when {@link valid} may have changed for a home */
  constructor(self: NodeId, clock: Clock, send: Send, onChange: (home: NodeId) => void) {
    this.#self = self;
    this.#clock = clock;
    this.#send = send;
    this.#onChange = onChange;
  }

  /** Something of this home is held from now on; to be called once for each such thing. */
  acquire(home: NodeId): void {
    if (home === this.#self) return;
    const kept = this.#kept.get(home);
    if (kept) {
      kept.users++;
      return;
    }
    this.#kept.set(home, { users: 1, until: null, ask: this.#askLater(home), end: null });
    this.ask(home);
  }

  release(home: NodeId): void {
    const kept = this.#kept.get(home);
    if (!kept || --kept.users > 0) return;
    kept.ask.cancel();
    kept.end?.cancel();
    this.#kept.delete(home);
  }

  /** May guests of this home run at this moment? */
  valid(home: NodeId): boolean {
    if (home === this.#self) return true;
    const until = this.#kept.get(home)?.until;
    return !!until && this.#clock.now() < until.monotonicMs && this.#clock.wallNanos() < until.wallNanos;
  }

  /** Ask now, not only when it is time: something has just been heard of this home. */
  ask(home: NodeId): void {
    if (!this.#kept.has(home)) return;
    this.#send(home, { frame: 'lease_ask', monotonicMs: this.#clock.now(), wallNanos: this.#clock.wallNanos() });
  }

  /** Home's answer. */
  granted(home: NodeId, message: Named<ProcessMessage, 'lease'>): void {
    const kept = this.#kept.get(home);
    const monotonicMs = message.monotonicMs + TIMES.leaseMs;
    // A home that makes up times must not get a longer lease than an honest one.
    if (!kept || !(message.monotonicMs <= this.#clock.now()) || (kept.until && kept.until.monotonicMs >= monotonicMs))
      return;
    kept.until = { monotonicMs, wallNanos: message.wallNanos + LEASE_NANOS };
    kept.end?.cancel();
    kept.end = this.#clock.after(Math.max(0, monotonicMs - this.#clock.now()), () => this.#onChange(home));
    // Also if it was valid before: somebody may have looked when it had run out, and the timer was late.
    this.#onChange(home);
  }

  #askLater(home: NodeId): Timer {
    return this.#clock.after(TIMES.renewMs, () => {
      const kept = this.#kept.get(home);
      if (!kept) return;
      // Also here: the timer of the end knows only one of the clocks.
      this.#onChange(home);
      kept.ask = this.#askLater(home);
      this.ask(home);
    });
  }
}

/** The home's side. */
export class LeaseGrants {
  readonly #clock: Clock;
  readonly #send: Send;
  /** When a lease was last given to each node. */
  readonly #granted = new Map<NodeId, number>();
  /** Nodes that are down: until all their leases have run out, with a timer. */
  readonly #withheld = new Map<NodeId, Timer>();

  constructor(clock: Clock, send: Send) {
    this.#clock = clock;
    this.#send = send;
  }

  asked(from: NodeId, message: Named<ProcessMessage, 'lease_ask'>): void {
    if (this.#withheld.has(from)) return;
    this.#granted.set(from, this.#clock.now());
    this.#send(from, { ...message, frame: 'lease' });
  }

  /** Gives this node no lease from now on, and calls `expired` once the last one has run out, unless {@link restore} comes first. */
  withhold(node: NodeId, expired: () => void): void {
    this.restore(node);
    const granted = this.#granted.get(node);
    const left = granted === undefined ? 0 : granted + TIMES.takeoverMs - this.#clock.now();
    this.#withheld.set(node, this.#clock.after(Math.max(0, left), expired));
  }

  restore(node: NodeId): void {
    this.#withheld.get(node)?.cancel();
    this.#withheld.delete(node);
  }
}
