/**
 * Time, randomness and logging as interfaces. State machines take these and never touch the real ones, so that a
 * whole cluster runs in one test under virtual time from one seed (docs/ARCHITECTURE.md, invariants 1 and 2).
 */

export interface Timer {
  /** Stops the timer; harmless after it fired. */
  cancel(): void;
}

export interface Clock {
  /** Monotonic time in milliseconds, fractions included; only differences mean anything. */
  now(): number;
  /** Wall-clock time in nanoseconds since 1970-01-01T00:00Z. May jump. */
  wallNanos(): bigint;
  /** Calls `fire` once after `delay` milliseconds (not before), never from inside this call. */
  after(delay: number, fire: () => void): Timer;
}

export interface Random {
  /** An integer from 0 to `below - 1`; `below` from 1 to 2^32. */
  below(below: number): number;
  /** Fills the bytes with random values. */
  fill(bytes: Uint8Array): void;
}

/** One line of log: a constant message and what it is about. */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that keeps nothing, for tests and tools. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
