/**
 * Signal names and numbers as on Linux, whatever the system of the command: a process keeps its signals when it
 * moves. `kill -l` prints this table.
 */
import { GodwitError } from '../base/errors.ts';

const NAMES = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
  'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');

export const SIGNALS: ReadonlyMap<string, number> = new Map(NAMES.map((name, i) => [name, i + 1]));

/** `15` gives `TERM`; a number without a name is given back as it is. */
export function signalName(signal: number): string {
  return NAMES[signal - 1] ?? String(signal);
}

/**
 * @param text `TERM`, `SIGTERM`, `term` or `15`; 0 asks only whether the process is there
 * @returns null if it is none
 */
export function parseSignal(text: string): number | null {
  if (/^\d{1,2}$/.test(text)) return Number(text) <= NAMES.length ? Number(text) : null;
  return SIGNALS.get(text.toUpperCase().replace(/^SIG/, '')) ?? null;
}

/** As {@link parseSignal}. @throws GodwitError `usage` */
export function requireSignal(text: string): number {
  const signal = parseSignal(text);
  if (signal === null) throw new GodwitError('usage', `unknown signal "${text}"; "godwit kill --list" names them all`);
  return signal;
}
