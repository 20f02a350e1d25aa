/**
 * Time that stands still until a test moves it: the clock of simulated clusters and of every test with timers.
 */
import type { Clock, Timer } from './env.ts';

interface Alarm {
  readonly at: number;
  /** Alarms of one moment fire in the order in which they were set. */
  readonly order: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();
  /** Wall-clock time at virtual time 0, in nanoseconds; a test may change it to make the clock jump. */
  wallOffset = 1_700_000_000_000_000_000n;

  now(): number {
    return this.#now;
  }

  wallNanos(): bigint {
    return this.wallOffset + BigInt(Math.round(this.#now * 1e6));
  }

  after(delay: number, fire: () => void): Timer {
    const alarm = { at: this.#now + Math.max(0, delay), order: this.#order++, fire };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** Timers that are set and have not fired: 0 at the end of a test that leaks none. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Moves time on by `milliseconds` and fires what falls due, each alarm at its own moment. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#first(); next !== undefined && next.at <= end; next = this.#first()) this.#fire(next);
    this.#now = end;
  }

  /** Fires alarms in their order, moving time on, until none is left. Does not return if they set each other for ever. */
  runUntilIdle(): void {
    for (let next = this.#first(); next !== undefined; next = this.#first()) this.#fire(next);
  }

  #first(): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (first === undefined || alarm.at < first.at || (alarm.at === first.at && alarm.order < first.order)) {
        first = alarm;
      }
    }
    return first;
  }

  #fire(alarm: Alarm): void {
    this.#alarms.delete(alarm);
    this.#now = Math.max(this.#now, alarm.at);
    alarm.fire();
  }
}
