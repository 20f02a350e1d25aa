/**
 * Calls about the process itself, and those that a guest's node carries out without home: they are here too, so that
 * the table is complete and a guest that asks home gets the same answers.
 */
import { stringSizes } from '../../abi/encode.ts';
import { clockResolution, clockTime } from '../clocks.ts';
import { signalFromWitx } from '../../abi/signals.ts';
import { type Implementation, NOTHING } from './implementation.ts';
import { refuse } from '../maybe.ts';

/** Writes pointers into guest memory, which only the guest's own node has: home refuses it. */
export const args_get: Implementation<'args_get'> = () => refuse('nosys');

/** As {@link args_get}. */
export const environ_get: Implementation<'environ_get'> = () => refuse('nosys');

export const args_sizes_get: Implementation<'args_sizes_get'> = ({ process }) => stringSizes(process.identity.args);

export const environ_sizes_get: Implementation<'environ_sizes_get'> = ({ process }) =>
  stringSizes(process.identity.env);

export const clock_res_get: Implementation<'clock_res_get'> = (_context, { clock }) => ({
  resolution: clockResolution(clock),
});

export const clock_time_get: Implementation<'clock_time_get'> = ({ process }, { clock }) => ({
  time: clockTime(process.surroundings.clock, clock),
});

export const random_get: Implementation<'random_get'> = ({ process }, { buffer }) => {
  process.surroundings.random.fill(buffer);
  return NOTHING;
};

export const sched_yield: Implementation<'sched_yield'> = () => NOTHING;

/** The process has ended when this returns; nothing of it may execute any more. */
export const proc_exit: Implementation<'proc_exit'> = ({ process, control }, { status }) => {
  control.end(process, { how: 'exited', code: status });
  return NOTHING;
};

/** Carries out the signal's default action: a preview 1 program cannot have another one. */
export const proc_raise: Implementation<'proc_raise'> = ({ process, control }, { signal }) => {
  if (signal === 0) return NOTHING;
  control.signal(process, signalFromWitx(signal) ?? refuse('inval'));
  return NOTHING;
};
