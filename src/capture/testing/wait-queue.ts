/**
 * The plainest queue for threads that wait, in shared memory: what tests of the engine alone give it as `Waiting`. A
 * thread that leaves its code in a wait leaves its slot, where others may still wake it, and finds it there again.
 */

export const SEATS = 32;

export const SlotState = { free: 0, waiting: 1, woken: 2 } as const;

/** Of each slot; 0 and 1 of the whole are the lock and the number of waits so far. */
const STATE = 0;
const ADDRESS = 1;
const ORDER = 2;
const CHANGES = 3;
const SLOT = 4;
const FIRST = 4;

export class WaitQueue {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared = new SharedArrayBuffer(4 * (FIRST + SLOT * SEATS))) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** A copy as it is now, without those who sleep at it. */
  copy(): WaitQueue {
    const shared = new SharedArrayBuffer(this.shared.byteLength);
    new Int32Array(shared).set(this.#words);
    return new WaitQueue(shared);
  }

  stateOf(seat: number): number {
    return Atomics.load(this.#words, slot(seat) + STATE);
  }

  /** @returns false if the value is another one than expected: then nobody waits */
  begin(seat: number, address: number, same: () => boolean): boolean {
    return this.#locked(() => {
      if (!same()) return false;
      const at = slot(seat);
      this.#words[at + ADDRESS] = address | 0;
      this.#words[at + ORDER] = ++this.#words[1]!;
      Atomics.store(this.#words, at + STATE, SlotState.waiting);
      return true;
    });
  }

  /** Sleeps until the seat is woken, or until the moment (of Date.now()), or until `leave` is true after a nudge. */
  sleep(seat: number, until: number, leave: () => boolean): 'woken' | 'late' | 'left' {
    const at = slot(seat);
    for (;;) {
      const changes = Atomics.load(this.#words, at + CHANGES);
      const late = Date.now() >= until;
      if (late || this.stateOf(seat) === SlotState.woken) {
        const state = this.#locked(() => Atomics.exchange(this.#words, at + STATE, SlotState.free));
        return state === SlotState.woken ? 'woken' : 'late';
      }
      if (leave()) return 'left';
      Atomics.wait(this.#words, at + CHANGES, changes, until - Date.now());
    }
  }

  notify(address: number, count: number): number {
    return this.#locked(() => {
      const waiting = Array.from({ length: SEATS }, (_, seat) => slot(seat))
        .filter((at) => this.#words[at + STATE] === SlotState.waiting && this.#words[at + ADDRESS] === (address | 0))
        .sort((a, b) => this.#words[a + ORDER]! - this.#words[b + ORDER]!)
        .slice(0, count);
      for (const at of waiting) {
        Atomics.store(this.#words, at + STATE, SlotState.woken);
        this.#change(at);
      }
      return waiting.length;
    });
  }

  /** Everyone looks again whether to leave. */
  nudge(): void {
    for (let seat = 0; seat < SEATS; seat++) this.#change(slot(seat));
  }

  #change(at: number): void {
    Atomics.add(this.#words, at + CHANGES, 1);
    Atomics.notify(this.#words, at + CHANGES);
  }

  #locked<T>(use: () => T): T {
    while (Atomics.compareExchange(this.#words, 0, 0, 1) !== 0) Atomics.wait(this.#words, 0, 1);
    try {
      return use();
    } finally {
      Atomics.store(this.#words, 0, 0);
      Atomics.notify(this.#words, 0, 1);
    }
  }
}

function slot(seat: number): number {
  return FIRST + SLOT * seat;
}
