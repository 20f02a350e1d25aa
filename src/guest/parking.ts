/**
 * Where the threads of a process wait for each other (`memory.atomic.wait`, `memory.atomic.notify`): a queue in shared
 * memory beside the program's own. The engine's own queue cannot be read, so a capture would lose who waits and who has
 * been woken; this one is part of the image.
 *
 * A thread has a *seat*, a number below LIMITS.threads that is its own while it lives. Its slot in the queue:
 *
 * | state   | written by                                                                                     |
 * |---------|------------------------------------------------------------------------------------------------|
 * | free    | the thread, when its wait has ended; the daemon's main thread while no thread runs             |
 * | waiting | the thread, under the lock                                                                     |
 * | woken   | who notifies, under the lock                                                                   |
 *
 * A thread that leaves its code in the middle of a wait leaves its slot as it is: it can still be woken by threads that
 * have not left theirs. When it goes on, the engine makes the same wait again, which finds the slot in use and goes on
 * where it was, without comparing the value a second time.
 *
 * | bytes        | field   |                                                                                        |
 * |--------------|---------|----------------------------------------------------------------------------------------|
 * | 0–3          | lock    | 0 free, 1 held, 2 held and someone sleeps for it                                       |
 * | 4–7          | waiters | slots that wait or are about to: without any, who notifies need not take the lock      |
 * | 8–15         | arrival | how many waits have begun: their order                                                 |
 * | 16–19        | others  | 1 once the process has had a second thread: written by the main thread                 |
 * | 64 + 40 seat | slot    | i32 state, i32 changes, i32 memory, i32 0, f64 address, f64 arrival, i64 deadline      |
 *
 * `changes` is what a thread sleeps on: it rises with each wake-up and each {@link ParkingLot.nudge}.
 *
 * The lock is held for a look through the slots; only threads of the process take it, never the main thread. One that
 * is ended while it holds it was ended with all the others.
 */
import { type Seat, seat as seatOf } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';

/** What `memory.atomic.wait` returns. */
export const WaitResult = { woken: 0, different: 1, timedOut: 2 } as const;
export type WaitResult = (typeof WaitResult)[keyof typeof WaitResult];

/** A place that threads wait at: memories by their numbers in the module. */
export interface Place {
  readonly memory: number;
  readonly address: number;
}

/** The slot of a thread that has left its code in a wait. */
export type Parked =
  | { readonly state: 'woken' }
  | {
      readonly state: 'waiting';
      readonly place: Place;
      /** On the process's monotonic clock, in nanoseconds; null: none. */
      readonly deadline: bigint | null;
      /** Of two that wait, the one with the lower number came first. */
      readonly arrival: number;
    };

/** What a wait asks of its thread. */
export interface Waiter {
  readonly seat: number;
  /** The process's monotonic clock, in nanoseconds. */
  readonly now: () => bigint;
  /** Sleeps while the process is stopped. @returns whether the thread has to leave its code */
  readonly attend: () => boolean;
}

const LOCK = 0;
const WAITERS = 1;
/** In units of eight bytes. */
const ARRIVALS = 1;
const OTHERS = 4;

const SLOTS_AT = 64;
const SLOT_BYTES = 40;
// Fields of four bytes, and of eight.
const STATE = 0;
const CHANGES = 1;
const MEMORY = 2;
const ADDRESS = 2;
const ARRIVAL = 3;
const DEADLINE = 4;

const SlotState = { free: 0, waiting: 1, woken: 2 } as const;
const READ_TRIES = 8;
const NEVER = (1n << 63n) - 1n;

export class ParkingLot {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #longs: BigInt64Array;

  /** @param shared of another lot, to be the same one; without it the lot is new and empty */
  constructor(shared = new SharedArrayBuffer(SLOTS_AT + SLOT_BYTES * LIMITS.threads)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#doubles = new Float64Array(shared);
    this.#longs = new BigInt64Array(shared);
  }

  /**
   * In the thread: `memory.atomic.wait`, begun now or, if the seat's slot is in use, before its thread left its code.
   * @param same whether the value at `place` is the expected one; called under the lock
   * @param timeout in nanoseconds; negative: none
   * @returns the instruction's result, or null if the thread has to leave its code and make the wait again
   */
  wait(waiter: Waiter, place: Place, same: () => boolean, timeout: bigint): WaitResult | null {
    const { seat, now, attend } = waiter;
    if (!this.#isUsed(seat) && !this.enter(seat, place, same, deadlineOf(timeout, now))) return WaitResult.different;
    for (;;) {
      const changes = this.changes(seat);
      const result = this.look(seat, now());
      if (result !== null) return result;
      if (attend()) return null;
      this.#sleep(seat, changes, now);
    }
  }

  /**
   * In the thread, the first half of a wait: puts the seat into the queue.
   * @param deadline asked for only if it waits
   * @returns false if the value is another one than expected
   */
  enter(seat: number, { memory, address }: Place, same: () => boolean, deadline: () => bigint | null): boolean {
    // Before the value is compared: see notify.
    Atomics.add(this.#words, WAITERS, 1);
    let waits = false;
    this.#lock();
    try {
      waits = same();
      if (!waits) return false;
      const { word, long } = at(seat);
      const until = deadline();
      this.#words[word + MEMORY] = memory;
      this.#doubles[long + ADDRESS] = address;
      this.#doubles[long + ARRIVAL] = this.#doubles[ARRIVALS] = (this.#doubles[ARRIVALS] ?? 0) + 1;
      this.#longs[long + DEADLINE] = until ?? NEVER;
      Atomics.store(this.#words, word + STATE, SlotState.waiting);
      return true;
    } finally {
      if (!waits) Atomics.sub(this.#words, WAITERS, 1);
      this.#unlock();
    }
  }

  /** In the thread, the second half: whether its wait has ended at this time. @returns null while it has not */
  look(seat: number, now: bigint): typeof WaitResult.woken | typeof WaitResult.timedOut | null {
    const { word, long } = at(seat);
    const state = word + STATE;
    if (Atomics.compareExchange(this.#words, state, SlotState.woken, SlotState.free) === SlotState.woken)
      return WaitResult.woken;
    const deadline = this.#longs[long + DEADLINE] ?? NEVER;
    if (deadline === NEVER || now < deadline) return null;
    this.#lock();
    try {
      if (Atomics.exchange(this.#words, state, SlotState.free) === SlotState.woken) return WaitResult.woken;
      Atomics.sub(this.#words, WAITERS, 1);
      return WaitResult.timedOut;
    } finally {
      this.#unlock();
    }
  }

  /**
   * In any thread: `memory.atomic.notify`.
   * @param count the most to wake, u32
   * @returns how many were woken: those that have waited longest
   */
  notify({ memory, address }: Place, count: number): number {
    // A thread that waits raises this word before it compares the value, and this changes the word too, without
    // changing its value: of two changes one comes first. If it is the thread's, it is seen here; otherwise the thread
    // sees all that was written before the notification, and so the new value.
    if (Atomics.add(this.#words, WAITERS, 0) === 0) return 0;
    this.#lock();
    try {
      let woken = 0;
      for (; woken < count; woken++) {
        const first = this.#firstAt(memory, address);
        if (first === -1) break;
        this.#wake(first);
      }
      return woken;
    } finally {
      this.#unlock();
    }
  }

  /** Whether the process has had a second thread. */
  get hasHadOthers(): boolean {
    return Atomics.load(this.#words, OTHERS) !== 0;
  }

  /** On the main thread: it has, or is about to. */
  noteOthers(): void {
    Atomics.store(this.#words, OTHERS, 1);
  }

  /**
   * Without the lock: the seats that waited at one and the same moment. None if that cannot be told, because waits
   * begin faster than slots can be read.
   */
  get waiting(): Seat[] {
    for (let tries = 0; tries < READ_TRIES && Atomics.load(this.#words, WAITERS) > 0; tries++) {
      const arrivals = Atomics.load(this.#longs, ARRIVALS);
      const seats: Seat[] = [];
      for (let seat = 0; seat < LIMITS.threads; seat++) if (this.#isWaiting(seat)) seats.push(seatOf(seat));
      // None has begun to wait since the first was read, so all of them waited then, or were about to.
      if (Atomics.load(this.#longs, ARRIVALS) === arrivals) return seats;
    }
    return [];
  }

  /** On the main thread: whoever waits looks at its attention word again. To be called after raising or lowering it. */
  nudge(): void {
    for (let seat = 0; seat < LIMITS.threads; seat++) this.#change(seat);
  }

  /** How many wake-ups and nudges the seat has had. */
  changes(seat: number): number {
    return Atomics.load(this.#words, at(seat).word + CHANGES);
  }

  /** On the main thread, while no thread runs: the slot of a seat; null if it is free. */
  saved(seat: number): Parked | null {
    const { word, long } = at(seat);
    const state = Atomics.load(this.#words, word + STATE);
    if (state === SlotState.free) return null;
    if (state === SlotState.woken) return { state: 'woken' };
    const deadline = this.#longs[long + DEADLINE] ?? NEVER;
    return {
      state: 'waiting',
      place: { memory: this.#words[word + MEMORY] ?? 0, address: this.#doubles[long + ADDRESS] ?? 0 },
      deadline: deadline === NEVER ? null : deadline,
      arrival: this.#doubles[long + ARRIVAL] ?? 0,
    };
  }

  /** On the main thread, while no thread runs: puts these into the queue, and nothing else. */
  restore(slots: ReadonlyMap<number, Parked>): void {
    const others = this.hasHadOthers;
    this.#words.fill(0);
    if (others) this.noteOthers();
    for (const [seat, slot] of slots) {
      const { word, long } = at(seat);
      this.#words[word + STATE] = SlotState[slot.state];
      if (slot.state === 'woken') continue;
      this.#words[WAITERS] = (this.#words[WAITERS] ?? 0) + 1;
      this.#words[word + MEMORY] = slot.place.memory;
      this.#doubles[long + ADDRESS] = slot.place.address;
      this.#doubles[long + ARRIVAL] = slot.arrival;
      this.#doubles[ARRIVALS] = Math.max(this.#doubles[ARRIVALS] ?? 0, slot.arrival);
      this.#longs[long + DEADLINE] = slot.deadline ?? NEVER;
    }
  }

  #isUsed(seat: number): boolean {
    return Atomics.load(this.#words, at(seat).word + STATE) !== SlotState.free;
  }

  #isWaiting(seat: number): boolean {
    return Atomics.load(this.#words, at(seat).word + STATE) === SlotState.waiting;
  }

  #sleep(seat: number, changes: number, now: () => bigint): void {
    const { word, long } = at(seat);
    const deadline = this.#longs[long + DEADLINE] ?? NEVER;
    const milliseconds = deadline === NEVER ? Infinity : Number(deadline - now()) / 1e6;
    Atomics.wait(this.#words, word + CHANGES, changes, Math.max(0, milliseconds));
  }

  /** Under the lock: the seat that has waited longest at a place, -1 if none waits there. */
  #firstAt(memory: number, address: number): number {
    let first = -1;
    let earliest = Infinity;
    for (let seat = 0; seat < LIMITS.threads; seat++) {
      if (!this.#isWaiting(seat)) continue;
      const { word, long } = at(seat);
      if (this.#words[word + MEMORY] !== memory || this.#doubles[long + ADDRESS] !== address) continue;
      const arrival = this.#doubles[long + ARRIVAL] ?? 0;
      if (arrival < earliest) [first, earliest] = [seat, arrival];
    }
    return first;
  }

  #wake(seat: number): void {
    Atomics.store(this.#words, at(seat).word + STATE, SlotState.woken);
    Atomics.sub(this.#words, WAITERS, 1);
    this.#change(seat);
  }

  #change(seat: number): void {
    const { word } = at(seat);
    Atomics.add(this.#words, word + CHANGES, 1);
    Atomics.notify(this.#words, word + CHANGES);
  }

  #lock(): void {
    if (Atomics.compareExchange(this.#words, LOCK, 0, 1) === 0) return;
    while (Atomics.exchange(this.#words, LOCK, 2) !== 0) Atomics.wait(this.#words, LOCK, 2);
  }

  #unlock(): void {
    if (Atomics.exchange(this.#words, LOCK, 0) === 2) Atomics.notify(this.#words, LOCK, 1);
  }
}

/** Where a seat's slot begins: in units of four bytes, and of eight. */
function at(seat: number): { readonly word: number; readonly long: number } {
  const start = SLOTS_AT + SLOT_BYTES * seat;
  return { word: start / 4, long: start / 8 };
}

/** When a wait ends that begins now; null: never, which is also what a time beyond the clock's end means. */
function deadlineOf(timeout: bigint, now: () => bigint): () => bigint | null {
  return () => {
    if (timeout < 0n) return null;
    const end = now() + timeout;
    return end < NEVER ? end : null;
  };
}
