/**
 * The calls that are carried out in the guest's own thread because they need nothing from home (`runs: 'here'`).
 * Specification: WASI preview 1, witx `args_get` and the others by name.
 */
import { ERRNO, type Errno } from '../abi/errno.ts';
import { ClockId } from '../abi/types.ts';

/** Clocks and randomness of the machine that the guest runs on. */
export interface Machinery {
  /** Wall clock, nanoseconds since 1970. */
  wallNanos(): bigint;
  /** Monotonic clock of this machine, nanoseconds. */
  monotonicNanos(): bigint;
  /** CPU time of the calling thread, nanoseconds. */
  cpuNanos(): bigint;
  randomFill(bytes: Uint8Array): void;
}

/** proc_exit: leaves the guest's code for good. Not an error, but how {@link Machine.leave} ends a run. */
export class GuestExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.name = 'GuestExit';
    this.status = status;
  }
}

/**
 * The clocks of one process, wherever it runs. The monotonic one goes on from what the process has seen before: the
 * machines' own have nothing to do with each other.
 */
export class GuestClocks {
  /** What the process's monotonic clock is ahead of the machine's. */
  monotonicOffset = 0n;
  readonly #machinery: Machinery;
  readonly #cpuOffset: bigint;

  /** @param cpuBefore CPU time used elsewhere */
  constructor(machinery: Machinery, cpuBefore: bigint) {
    this.#machinery = machinery;
    this.#cpuOffset = cpuBefore - machinery.cpuNanos();
  }

  monotonic(): bigint {
    return this.#machinery.monotonicNanos() + this.monotonicOffset;
  }

  cpu(): bigint {
    return this.#machinery.cpuNanos() + this.#cpuOffset;
  }

  /** @returns nanoseconds, or EINVAL for a clock that does not exist */
  time(clock: number): bigint | Errno {
    switch (clock) {
      case ClockId.realtime:
        return this.#machinery.wallNanos();
      case ClockId.monotonic:
        return this.monotonic();
      // Of a process with one thread they are the same; of others guest/calls.ts asks the main thread.
      case ClockId.processCputime:
      case ClockId.threadCputime:
        return this.cpu();
      default:
        return ERRNO.inval satisfies Errno;
    }
  }

  /** What the clocks can tell apart: Node gives the wall clock in microseconds, the others in nanoseconds. */
  resolution(clock: number): bigint | Errno {
    if (clock === ClockId.realtime) return 1000n;
    return clock <= ClockId.threadCputime ? 1n : ERRNO.inval;
  }
}
