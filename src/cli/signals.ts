/** Signals as users write them. */
import { parseSignal, signalByNumber } from '../abi/signals.ts';
import { GodwitError } from '../base/errors.ts';

/** `15` gives `TERM`; a number without a name is given back as it is. */
export function signalName(number: number): string {
  return signalByNumber(number)?.name ?? String(number);
}

/**
 * @param text `TERM`, `SIGTERM`, `term` or `15`; 0 is no signal but asks whether the process is there
 * @returns Linux's number
 * @throws GodwitError `usage`
 */
export function requireSignal(text: string): number {
  if (text === '0') return 0;
  const signal = parseSignal(text);
  if (signal === null) throw new GodwitError('usage', `unknown signal "${text}"; "godwit kill --list" names them all`);
  return signal.number;
}
