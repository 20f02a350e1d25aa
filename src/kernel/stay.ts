/**
 * Stay reasons: why a process may not move now. The one table of them; `godwit ps` shows the names, a refused move
 * the meanings: why, and what frees it.
 */
export const STAY_REASONS = {
  user_lock: 'it was started with --pin, which holds until it ends',
  host_reference:
    'it holds a reference to an object of the host, which has no meaning elsewhere; it may move when it has dropped it',
  deep_stack:
    'its stack was so deep that its frames take more than an image holds; it may move when it has returned from some',
  gc_heap:
    'its objects are kept by the garbage collector of this machine, where nothing else can read them, until it ends',
  large_function: 'it is too large to be made movable, or one of its functions is, until it ends',
} as const;

export type StayReason = keyof typeof STAY_REASONS;

/** The reasons among names that a node has told; a newer one may know others. */
export function stayReasonsOf(names: readonly string[]): StayReason[] {
  return names.filter((name): name is StayReason => Object.hasOwn(STAY_REASONS, name));
}

/** One sentence for people; names that this build does not know (from a newer node) stay as they are. */
export function explainStay(names: readonly string[]): string {
  const known = new Map<string, string>(Object.entries(STAY_REASONS));
  const reasons = names.map((name) => (known.has(name) ? `${name} (${known.get(name)})` : name));
  return `the process stays where it is: ${reasons.join(', ')}`;
}
