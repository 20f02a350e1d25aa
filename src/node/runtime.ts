/**
 * The real time, randomness and log behind the interfaces of base/env.ts. Nothing else in Godwit reads them.
 */
import { randomFillSync, randomInt } from 'node:crypto';
import pino from 'pino';
import type { Clock, Log, LogFields, Random } from '../base/env.ts';
import { LIMITS } from '../base/limits.ts';
import { fineWallClock } from './wall-clock.ts';

/** Node clamps longer timers to 1 ms; a timer that is due later is set again on the way. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

const wallMs = fineWallClock(
  () => Date.now(),
  () => performance.now(),
);

export const realClock: Clock = {
  now: () => performance.now(),
  // Down, never up into a millisecond that has not begun.
  wallNanos: () => BigInt(Math.floor(wallMs() * 1000)) * 1000n,
  after(delay, fire) {
    const due = performance.now() + delay;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      // Node rounds down to whole milliseconds and may fire early by as much: round up.
      const left = Math.ceil(due - performance.now());
      handle = setTimeout(left > LONGEST_TIMER_MS ? arm : fire, Math.min(Math.max(left, 0), LONGEST_TIMER_MS));
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

export const realRandom: Random = {
  below: (below) => (below === 2 ** 32 ? randomInt(0, 2 ** 32) : randomInt(below)),
  fill: (bytes) => void randomFillSync(bytes),
};

type PinoWrite = (fields: LogFields, message: string) => void;

/** Pino takes the fields first. */
const at =
  (write: PinoWrite) =>
  (message: string, fields: LogFields = {}): void =>
    write(fields, message);

/**
 * JSON lines into a file, one write each. A log that cannot be written must not take the node with it: its lines wait,
 * as many as fit LIMITS.logBacklogBytes, until one can be written again.
 * @param failed told when that begins
 * @throws the system's error if the file cannot be opened
 */
export function openLog(file: string, failed: (error: Error) => void, level = 'info'): Log {
  const destination = pino.destination({ dest: file, sync: true, mkdir: true, maxLength: LIMITS.logBacklogBytes });
  let failing = false;
  destination.on('error', (error: Error) => {
    if (!failing) failed(error);
    failing = true;
  });
  destination.on('write', () => (failing = false));
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: at(logger.debug.bind(logger)),
    info: at(logger.info.bind(logger)),
    warn: at(logger.warn.bind(logger)),
    error: at(logger.error.bind(logger)),
  };
}
