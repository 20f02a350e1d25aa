/**
 * Waiting for the first of several events: clocks and descriptors.
 *
 * All subscriptions are looked at in their order; if any is ready, all that are ready are the result and nothing
 * waits. Otherwise the first one to become ready ends the wait, and all are looked at once more, so that events that
 * came together are told together. Whatever else was waited for is withdrawn then: no timer and no waiter is left.
 *
 * If something is ready at once, such as a clock that is due (a look that may not wait), files whose input is somewhere
 * else are asked first what is there now: otherwise the first look at them would always find nothing.
 *
 * A relative time counts from the moment when the call was first made, also if the process moved meanwhile and made
 * it again (Process.interruptedPolls): otherwise a process that moves more often than it wakes would sleep for ever.
 * Each subscription is compared for itself: an absolute time that {@link relativeToGuest} has made relative is another
 * one when the call is made again, and counts from then.
 */
import { clockTime } from './clocks.ts';
import type { Errno } from '../abi/errno.ts';
import { ClockId, type Event, EventRwFlags, EventType, Rights, type Subscription } from '../abi/types.ts';
import type { Timer } from '../base/env.ts';
import type { Seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, OpenFile, Readiness, Settled } from '../vfs/openfile.ts';
import { settled } from './maybe.ts';
import type { Process } from './process.ts';

type ClockSubscription = Extract<Subscription, { type: 'clock' }>;
type FileSubscription = Exclude<Subscription, ClockSubscription>;

/** Real timers take 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 0x7fff_ffff;
/** An absolute wait on the wall clock looks at it at least so often, since that clock may be set. */
const WALL_CLOCK_STEP_MS = 1000;

const RIGHTS: Readonly<Record<FileSubscription['type'], bigint>> = {
  fdRead: Rights.poll_fd_readwrite | Rights.fd_read,
  fdWrite: Rights.poll_fd_readwrite | Rights.fd_write,
};

export class Poll {
  readonly #process: Process;
  readonly #seat: Seat;
  readonly #subscriptions: readonly Subscription[];
  /** When each was first made, by its position. */
  readonly #since: readonly number[];
  /** What a waiter has brought, by the position of its subscription. */
  readonly #arrived = new Map<number, Settled<Readiness>>();
  /**
   * What a look has found, by position. It stays an event, whatever another thread does while the wait for what is afar
   * goes on: otherwise there might be none to tell in the end.
   */
  readonly #found = new Map<number, Event>();
  readonly #waits = new Map<number, Waiting<Settled<Readiness>>>();
  /** Of {@link #waits}, what has to be asked whether there is input now. */
  readonly #afar = new Map<number, OpenFile>();
  #timer: Timer | null = null;
  #result: Waiting<Settled<readonly Event[]>> | null = null;

  /** @param subscriptions at least one; clocks only those that {@link clockTime} knows */
  constructor(process: Process, seat: Seat, subscriptions: readonly Subscription[]) {
    this.#process = process;
    this.#seat = seat;
    this.#subscriptions = subscriptions;
    const interrupted = process.interruptedPolls.get(seat);
    const now = process.surroundings.clock.now();
    this.#since = subscriptions.map((wanted, index) => {
      const before = interrupted?.[index];
      return before && sameFields(before.subscription, wanted) ? before.since : now;
    });
    process.interruptedPolls.delete(seat);
  }

  /** The events that are ready, in the order of their subscriptions, at least one. */
  start(): Maybe<readonly Event[]> {
    const ready = this.#look();
    if (ready.length > 0 && this.#afar.size === 0) {
      this.#release();
      return ready;
    }
    const result = new Waiting<Settled<readonly Event[]>>(() => {
      this.#release();
      const interrupted = this.#subscriptions.map((subscription, i) => ({ subscription, since: this.#since[i] ?? 0 }));
      this.#process.interruptedPolls.set(this.#seat, interrupted);
    });
    this.#result = result;
    if (ready.length > 0) {
      this.#askAfar();
      return result;
    }
    for (const [index, waiting] of this.#waits) {
      waiting.whenDone((readiness) => {
        this.#arrived.set(index, readiness);
        this.#finish();
      });
    }
    // One of them may have settled just now.
    if (result.pending) this.#setTimer();
    return result;
  }

  /** Something is ready: what is afar has one round trip to say so too. */
  #askAfar(): void {
    const asked = [...this.#afar];
    let left = asked.length;
    for (const [index, file] of asked) {
      const waiting = this.#waits.get(index);
      waiting?.whenDone((readiness) => this.#arrived.set(index, readiness));
      file.whenKnown?.(() => {
        // At once, so that no input is asked for any more which would be taken from whoever reads next.
        waiting?.withdraw();
        left--;
        if (left === 0) this.#tellKnown();
      });
    }
  }

  /** Looks again before the waits are released: what is noted there is known not to be ready. */
  #tellKnown(): void {
    if (this.#result?.pending !== true) return;
    const events = this.#look();
    this.#release();
    this.#result.settle({ value: events });
  }

  #finish(): void {
    // Withdrawn here, so that looking again does not find its own waiters.
    this.#release();
    const events = this.#look();
    this.#release();
    this.#result?.settle({ value: events });
  }

  /** The events that were found before or are ready now; leaves a waiter behind for each file that is not. */
  #look(): readonly Event[] {
    const events: Event[] = [];
    for (const [index, wanted] of this.#subscriptions.entries()) {
      const event = this.#found.get(index) ?? this.#lookAt(index, wanted);
      if (event === null) continue;
      this.#found.set(index, event);
      events.push(event);
    }
    return events;
  }

  #lookAt(index: number, wanted: Subscription): Event | null {
    return wanted.type === 'clock' ? this.#lookAtClock(index, wanted) : this.#lookAtFile(index, wanted);
  }

  #lookAtClock(index: number, wanted: ClockSubscription): Event | null {
    if (this.#remainingMs(index, wanted) > 0) return null;
    return { userdata: wanted.userdata, error: 0, type: EventType.clock, bytes: 0n, flags: 0 };
  }

  #lookAtFile(index: number, wanted: FileSubscription): Event | null {
    const arrived = this.#arrived.get(index);
    if (arrived !== undefined) return fileEvent(wanted, arrived);
    if (this.#waits.has(index)) return null;
    const direction = wanted.type === 'fdRead' ? 'read' : 'write';
    const polled = settled(() => {
      const { file } = this.#process.descriptors.require(wanted.fd, RIGHTS[wanted.type]);
      return { file, readiness: file.poll(direction) };
    });
    if ('errno' in polled) return fileEvent(wanted, polled);
    const { file, readiness } = polled.value;
    if (!(readiness instanceof Waiting)) return fileEvent(wanted, { value: readiness });
    this.#waits.set(index, readiness);
    if (direction === 'read' && file.whenKnown !== undefined) this.#afar.set(index, file);
    return null;
  }

  /** Milliseconds until the clock is there, 0 or less if it is; for an absolute wall-clock time as it stands now. */
  #remainingMs(index: number, { clock: id, timeout, abstime }: ClockSubscription): number {
    const { clock } = this.#process.surroundings;
    if (!abstime) return (this.#since[index] ?? 0) + Number(timeout) / 1e6 - clock.now();
    return Number(timeout - clockTime(clock, id)) / 1e6;
  }

  /** One timer for the next clock that is due; without clocks there is none. */
  #setTimer(): void {
    let delay = Infinity;
    for (const [index, wanted] of this.#subscriptions.entries()) {
      if (wanted.type !== 'clock') continue;
      const step = wanted.abstime && wanted.clock === ClockId.realtime ? WALL_CLOCK_STEP_MS : LONGEST_TIMER_MS;
      delay = Math.min(delay, step, this.#remainingMs(index, wanted));
    }
    if (delay === Infinity) return;
    this.#timer = this.#process.surroundings.clock.after(Math.max(0, delay), () => {
      this.#timer = null;
      if (this.#clockIsDue()) this.#finish();
      else this.#setTimer();
    });
  }

  #clockIsDue(): boolean {
    return this.#subscriptions.some((wanted, i) => wanted.type === 'clock' && this.#remainingMs(i, wanted) <= 0);
  }

  #release(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const waits = [...this.#waits.values()];
    this.#waits.clear();
    this.#afar.clear();
    for (const waiting of waits) waiting.withdraw();
  }
}

function fileEvent(wanted: FileSubscription, readiness: Settled<Readiness>): Event {
  const error: Errno | 0 = 'errno' in readiness ? readiness.errno : 0;
  const { bytes, hangup } = 'errno' in readiness ? { bytes: 0n, hangup: false } : readiness.value;
  return {
    userdata: wanted.userdata,
    error,
    type: wanted.type === 'fdRead' ? EventType.fdRead : EventType.fdWrite,
    bytes,
    flags: hangup ? EventRwFlags.hangup : 0,
  };
}

/**
 * The same subscriptions with absolute times of the monotonic clock made relative. That clock is the process's own: it
 * goes on across moves and has nothing to do with the home node's, so the guest's node must do this before it passes
 * poll_oneoff on to the kernel.
 * @param monotonic what the process's monotonic clock shows now, in nanoseconds
 */
export function relativeToGuest(subscriptions: readonly Subscription[], monotonic: bigint): readonly Subscription[] {
  return subscriptions.map((wanted) => {
    if (wanted.type !== 'clock' || !wanted.abstime || wanted.clock !== ClockId.monotonic) return wanted;
    const timeout = wanted.timeout > monotonic ? wanted.timeout - monotonic : 0n;
    return { ...wanted, abstime: false, timeout };
  });
}

function sameFields(a: Subscription, b: Subscription): boolean {
  const other: Readonly<Record<string, unknown>> = { ...b };
  return Object.entries(a).every(([key, value]) => other[key] === value);
}
