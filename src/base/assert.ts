/** A broken assumption of our own: a bug, never a reaction to input. The daemon ends loudly on it. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** @throws AssertionError with `message` unless `condition` holds */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the default arm of an exhaustive switch: the compiler refuses a call while a case is missing. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unexpected ${what}: ${String(value)}`);
}
