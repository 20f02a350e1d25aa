/**
 * Signals. Two numberings meet here and must not be mixed up:
 *
 * - `number` is Linux's (the same on x86-64 and Arm). It is what users see: `godwit kill -9`, exit status 128 + number.
 * - `witx` is the one of preview 1, used by `proc_raise` only. From 16 on it is one less, since it leaves out STKFLT.
 *
 * Specification: witx `signal`; signal(7) for the numbers and the default actions. A core dump is `terminate`: a guest
 * has no core.
 */
import { assert } from '../base/assert.ts';

export type DefaultAction = 'terminate' | 'stop' | 'continue' | 'ignore';

export interface Signal {
  /** Without `SIG`. */
  readonly name: string;
  /** Linux's number, 1 to 31. */
  readonly number: number;
  /** The number in preview 1; null where that has none. */
  readonly witx: number | null;
  readonly action: DefaultAction;
}

/** In the order of Linux's numbers, from 1 on. */
const ROWS = [
  ['HUP', 1, 'terminate'],
  ['INT', 2, 'terminate'],
  ['QUIT', 3, 'terminate'],
  ['ILL', 4, 'terminate'],
  ['TRAP', 5, 'terminate'],
  ['ABRT', 6, 'terminate'],
  ['BUS', 7, 'terminate'],
  ['FPE', 8, 'terminate'],
  ['KILL', 9, 'terminate'],
  ['USR1', 10, 'terminate'],
  ['SEGV', 11, 'terminate'],
  ['USR2', 12, 'terminate'],
  ['PIPE', 13, 'terminate'],
  ['ALRM', 14, 'terminate'],
  ['TERM', 15, 'terminate'],
  ['STKFLT', null, 'terminate'],
  ['CHLD', 16, 'ignore'],
  ['CONT', 17, 'continue'],
  ['STOP', 18, 'stop'],
  ['TSTP', 19, 'stop'],
  ['TTIN', 20, 'stop'],
  ['TTOU', 21, 'stop'],
  ['URG', 22, 'ignore'],
  ['XCPU', 23, 'terminate'],
  ['XFSZ', 24, 'terminate'],
  ['VTALRM', 25, 'terminate'],
  ['PROF', 26, 'terminate'],
  ['WINCH', 27, 'ignore'],
  ['IO', 28, 'terminate'],
  ['PWR', 29, 'terminate'],
  ['SYS', 30, 'terminate'],
] as const satisfies readonly (readonly [string, number | null, DefaultAction])[];

export type SignalName = (typeof ROWS)[number][0];

/** All signals, in the order of their Linux numbers from 1 on. */
export const SIGNALS: readonly Signal[] = ROWS.map(([name, witx, action], i) => ({
  name,
  number: i + 1,
  witx,
  action,
}));

/** Other names of the same signals. */
const ALIASES: Readonly<Record<string, SignalName>> = { POLL: 'IO', IOT: 'ABRT', CLD: 'CHLD' };

/**
 * The signal that a user means.
 * @param text `TERM`, `SIGTERM`, `sigterm` or Linux's number `15`
 * @returns null if there is none of that name or number
 */
export function parseSignal(text: string): Signal | null {
  if (/^\d+$/.test(text)) return signalByNumber(Number(text));
  const name = text.toUpperCase().replace(/^SIG/, '');
  const meant = ALIASES[name] ?? name;
  return SIGNALS.find((signal) => signal.name === meant) ?? null;
}

/** A signal that Godwit itself raises. */
export function signalNamed(name: SignalName): Signal {
  const signal = SIGNALS.find((signal) => signal.name === name);
  assert(signal !== undefined, `there is a signal ${name}`);
  return signal;
}

/** @param number Linux's number @returns null if there is none */
export function signalByNumber(number: number): Signal | null {
  return SIGNALS[number - 1] ?? null;
}

/** @param witx the argument of proc_raise @returns null if there is none; 0 (`none`) is none */
export function signalFromWitx(witx: number): Signal | null {
  return SIGNALS.find((signal) => signal.witx === witx) ?? null;
}

/** Exit status of a process that a signal has ended, as shells give it. */
export function exitStatusOf(signal: Signal): number {
  return 128 + signal.number;
}
