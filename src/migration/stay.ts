/**
 * Stay reasons: why a process may not move now. Shown by `godwit ps`, named by a `migrate` that is refused. The one
 * table of them; flags that later features bring are added where those features are.
 */
export const STAY_REASONS = {
  user_lock: 'the user pinned it (run --pin)',
  safepoint: 'it cannot be stopped at the moment: code of the host is on its stack',
  descriptor: 'it uses something of this node directly that cannot be reached from another one',
} as const;

export type StayReason = keyof typeof STAY_REASONS;

/** One sentence for people; names that this build does not know (from a newer node) stay as they are. */
export function explainStay(names: readonly string[]): string {
  const known = new Map<string, string>(Object.entries(STAY_REASONS));
  return names.map((name) => (known.has(name) ? `${name} (${known.get(name)})` : name)).join(', ');
}
