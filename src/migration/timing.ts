/**
 * The times of a move, in milliseconds, with their reasons. What keeps two guests of one process from running is the
 * relation between the first three and is independent of how the membership finds a node to be `down`:
 *
 * - a guest away from home runs at most `leaseMs` after its node *asked* home for the lease that home then granted;
 * - home, having been told that a node is down, stops granting and waits `takeoverMs` from its *last grant* before it
 *   lets another copy run. The grant came after the question, so the guest has paused by then.
 *
 * Assumed of the clocks: that those of two nodes advance at rates that differ by less than a quarter. Nothing is
 * assumed of what they show, of network delay, or of how long a node is stopped: see migration/lease.ts.
 */
export const TIMES = {
  /** How long a lease lasts. Long enough to ride out a reconnect, short enough that a user waits for a takeover. */
  leaseMs: 10_000,
  /** How often a node asks for the next one: four may be lost before a guest pauses. */
  renewMs: 2_000,
  /** `leaseMs` and a quarter more, for clocks of different rates. */
  takeoverMs: 12_500,
  /** From the order to prepare to the answer: D may have to fetch and compile a module of 75 MB on a slow line. */
  prepareMs: 120_000,
  /** D gives up a reservation when S sends nothing for so long: S cannot stop the process, or the two are cut off. */
  stallMs: 30_000,
} as const;
