/**
 * Preview 1 has no call that asks for the size of a terminal. What programs look at besides it, and can be given, are
 * two variables of the environment; like those that a shell has exported, they stay what they are at the start.
 */
import type { TerminalSize } from './daemon.ts';

/**
 * @param env entries `NAME=VALUE`
 * @param size of the program's terminal; null: it has none, or one that does not know
 * @returns the entries, with COLUMNS and LINES if they are not there already
 */
export function withTerminalSize(env: readonly string[], size: TerminalSize | null): readonly string[] {
  const given = new Set(env.map((entry) => entry.slice(0, entry.indexOf('='))));
  const known = [
    ['COLUMNS', size?.columns ?? 0],
    ['LINES', size?.rows ?? 0],
  ] as const;
  const added = known.filter(([name, value]) => value > 0 && !given.has(name));
  return [...env, ...added.map(([name, value]) => `${name}=${value}`)];
}
