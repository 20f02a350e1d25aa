/**
 * How a process ended, as its parent and its user see it.
 */
import type { NodeId } from '../base/ids.ts';
import type { Signal } from '../abi/signals.ts';

export type ExitStatus =
  /** proc_exit or the end of `_start`. `code` is what the program said, 0 to 2^32-1. */
  | { readonly how: 'exited'; readonly code: number }
  | {
      readonly how: 'signalled';
      readonly signal: Signal;
      /** For people: a trap and where. */ readonly report: string | null;
    }
  /** Godwit could not go on with it, or it was on a node that was lost. */
  | { readonly how: 'failed'; readonly report: string; readonly node: NodeId };
