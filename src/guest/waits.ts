/**
 * What a program's waits and wake-ups go to (capture/running/machine.ts, `Waiting`): the queue that all threads of the process
 * share, with the values in its memories.
 */
import type { Waiting } from '../capture/running/host.ts';
import type { ParkingLot, Waiter, WaitResult } from './parking.ts';

/** One memory as words; the views are made anew when it has grown. */
class Words {
  readonly #memory: WebAssembly.Memory;
  #ints: Int32Array = new Int32Array(0);
  #longs: BigInt64Array = new BigInt64Array(0);

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  int(address: number): number {
    if (address >= this.#ints.byteLength) this.#ints = new Int32Array(this.#memory.buffer);
    return Atomics.load(this.#ints, address / 4);
  }

  long(address: number): bigint {
    if (address >= this.#longs.byteLength) this.#longs = new BigInt64Array(this.#memory.buffer);
    return Atomics.load(this.#longs, address / 8);
  }
}

/**
 * @param memories the program's, by their numbers
 * @param waiter the thread as its last order says
 * @param unwind leaves the thread's code
 */
export function waitingIn(
  lot: ParkingLot,
  memories: readonly WebAssembly.Memory[],
  waiter: () => Waiter,
  unwind: () => never,
): Waiting {
  const all = memories.map((memory) => new Words(memory));
  const wait = (memory: number, address: number, same: (words: Words) => boolean, timeout: bigint): WaitResult => {
    const inMemory = all[memory]!;
    const asking = waiter();
    const result = lot.wait(asking, { memory, address }, () => same(inMemory), timeout);
    // Woken while the process is stopped, it sleeps on until that goes on, and may have to leave then: its slot is free
    // already, so what it came to is told now, and it leaves at the next safepoint.
    if (result !== null) asking.attend();
    return result ?? unwind();
  };
  return {
    wait32: (memory, address, expected, timeout) => wait(memory, address, (m) => m.int(address) === expected, timeout),
    wait64: (memory, address, expected, timeout) => wait(memory, address, (m) => m.long(address) === expected, timeout),
    notify: (memory, address, count) => lot.notify({ memory, address }, count),
  };
}
