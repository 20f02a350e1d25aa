/** The real clock, for tests that need real sockets. */
import type { Clock } from '../../base/env.ts';

export const realClock: Clock = {
  now: () => performance.now(),
  wallNanos: () => BigInt(Date.now()) * 1_000_000n,
  after(delay, fire) {
    const timer = setTimeout(fire, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};
