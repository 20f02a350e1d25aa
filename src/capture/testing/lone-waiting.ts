/** The queue of a program's only thread: nobody wakes it, and it wakes nobody. */
import assert from 'node:assert/strict';
import type { Waiting } from '../machine.ts';

/**
 * @param memories the program's, as they are at the moment
 * @param safepoint told of each wait; may unwind
 */
export function loneWaiting(memories: () => readonly WebAssembly.Memory[], safepoint: () => void): Waiting {
  const wait = (differs: boolean, timeout: bigint): number => {
    safepoint();
    assert.ok(differs || timeout >= 0n, 'a wait for ever');
    return differs ? 1 : 2;
  };
  return {
    wait32: (memory, address, expected, timeout) =>
      wait(Atomics.load(new Int32Array(memories()[memory]!.buffer), address / 4) !== expected, timeout),
    wait64: (memory, address, expected, timeout) =>
      wait(Atomics.load(new BigInt64Array(memories()[memory]!.buffer), address / 8) !== expected, timeout),
    notify: () => 0,
  };
}
