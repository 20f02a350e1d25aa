/** The queue of a program's only thread: nobody wakes it, and it wakes nobody. */
import type { Waiting } from './host.ts';

const DIFFERENT = 1;
const TIMED_OUT = 2;

/**
 * @param memories the program's, as they are at the moment
 * @param sleep returns when the timeout is over (in nanoseconds, for ever if it is negative), or unwinds
 */
export function waitingAlone(memories: () => readonly WebAssembly.Memory[], sleep: (timeout: bigint) => void): Waiting {
  const wait = (same: boolean, timeout: bigint): number => {
    if (!same) return DIFFERENT;
    sleep(timeout);
    return TIMED_OUT;
  };
  return {
    wait32: (memory, address, expected, timeout) =>
      wait(Atomics.load(new Int32Array(memories()[memory]!.buffer), address / 4) === expected, timeout),
    wait64: (memory, address, expected, timeout) =>
      wait(Atomics.load(new BigInt64Array(memories()[memory]!.buffer), address / 8) === expected, timeout),
    notify: () => 0,
  };
}
