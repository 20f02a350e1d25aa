/**
 * poll_oneoff: waits for the first of several events. The waiting itself is kernel/poll.ts.
 */
import { ClockId } from '../../abi/types.ts';
import { mapMaybe, refuse } from '../maybe.ts';
import { Poll } from '../poll.ts';
import type { Implementation } from './implementation.ts';

const CLOCKS: ReadonlySet<number> = new Set([ClockId.realtime, ClockId.monotonic]);

/**
 * No subscriptions, and clocks that cannot be waited for, are EINVAL; whatever is wrong with a descriptor is an event
 * of its own (witx, `event.error`).
 */
export const poll_oneoff: Implementation<'poll_oneoff'> = ({ process, seat }, { subscriptions }) => {
  if (subscriptions.length === 0) refuse('inval');
  if (subscriptions.some((wanted) => wanted.type === 'clock' && !CLOCKS.has(wanted.clock))) refuse('inval');
  return mapMaybe(new Poll(process, seat, subscriptions).start(), (events) => ({ count: events.length, events }));
};
