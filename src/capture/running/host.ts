/** What a machine (machine.ts) needs from whoever runs it. */
export interface Host {
  /** The program's imports, by module and name; without memories. */
  readonly imports: WebAssembly.Imports;
  /** Shared, of the sizes that `Program.memories` says. */
  readonly memories: readonly WebAssembly.Memory[];
  /** Shared, one for each thread: bytes 0 to 1023 are the host's, the attention word (i32) at offset 0. */
  readonly control: WebAssembly.Memory;
  /**
   * Called at a safepoint while the attention word is not 0; calls `Machine.unwind`, or returns to go on. Going
   * on costs as much as a capture and a resume, so the attention word should be 0 by then.
   */
  readonly poll: () => void;
  /**
   * Called when a state has been taken up, from elsewhere or where it was, before any of its code runs.
   * @param slow whether it has loops that V8 does not optimise at once. It never replaces code that runs: such a loop
   *   stays slow until it ends, or until its stack is unwound and taken up again, as it is when `poll` returns
   */
  readonly resumed?: (slow: boolean) => void;
  /** Bytes of the thread's stack for frames that are taken up at once (portions.ts); 256 KiB if missing. */
  readonly portionBytes?: number;
  /** For programs that wait on shared memories. */
  readonly waiting?: Waiting;
}

/**
 * The queue of the threads that wait on shared memories (threads proposal, "Wait and Notify operators"). All addresses
 * are in bytes, inside of the memory and multiples of the size that is waited on.
 */
export interface Waiting {
  /**
   * Waits until another thread notifies the address.
   * @param memory its number in the program
   * @param expected compared as a signed number with what is at the address
   * @param timeout in nanoseconds; for ever if it is negative
   * @returns 0 if it was woken, 1 if something else is at the address, 2 if the time is over. May call
   *   `Machine.unwind`: it is called again with the same arguments, the timeout included, after the resume
   */
  readonly wait32: (memory: number, address: number, expected: number, timeout: bigint) => number;
  readonly wait64: (memory: number, address: number, expected: bigint, timeout: bigint) => number;
  /**
   * Wakes those who wait at the address, the first come first. No safepoint: it must return.
   * @param count how many at most, 0 to 2^32 - 1
   * @returns how many were woken
   */
  readonly notify: (memory: number, address: number, count: number) => number;
}
