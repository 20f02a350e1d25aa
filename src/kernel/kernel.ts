/**
 * The kernel of one node: carries out the system calls of the processes whose home it is, no matter where their
 * guests are.
 */
import type { Preview1Name } from '../abi/preview1.ts';
import { assert } from '../base/assert.ts';
import { FIRST_SEAT, type Seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Settled } from '../vfs/openfile.ts';
import type { ArgsOf, CallContext, ResultsOf } from './calls/implementation.ts';
import { CALLS } from './calls/table.ts';
import { settled } from './maybe.ts';
import type { Process } from './process.ts';
import { Processes, type ProcessesOptions } from './processes.ts';

/** How a call ended. */
export type CallResult<N extends Preview1Name> = Settled<ResultsOf<N>>;

export class Kernel {
  readonly processes: Processes;

  constructor(options: ProcessesOptions) {
    this.processes = new Processes(options);
  }

  /**
   * Carries out one call of a process. The arguments are decoded and checked (abi/decode.ts): buffers among them are
   * views of guest memory, or of a message if the guest is away.
   *
   * At most one call a seat is under way: the caller waits for its end, or withdraws it. After a call that ended
   * the process (proc_exit, a signal to itself, SIGPIPE), `process.ended` holds and the result means nothing.
   * @param seat of the thread that makes the call
   * @returns the results or the errno, or a wait for them; to withdraw the wait takes the call back, so that it can be
   *   made again, unless it has had an effect: then it settles, perhaps with fewer bytes than asked for
   */
  call<N extends Preview1Name>(
    process: Process,
    name: N,
    args: ArgsOf<N>,
    seat: Seat = FIRST_SEAT,
  ): CallResult<N> | Waiting<CallResult<N>> {
    assert(!process.ended, 'a process that has ended makes no calls');
    assert(!process.blocked.has(seat), 'one call of a thread at a time');
    if (name !== 'poll_oneoff') process.interruptedPolls.delete(seat);
    const context: CallContext = { process, seat, control: this.processes };
    const outcome = settled<Maybe<ResultsOf<N>>>(() => CALLS[name](context, args));
    if ('errno' in outcome) return outcome;
    const result = outcome.value;
    return result instanceof Waiting ? blockIn(process, seat, name, result) : { value: result };
  }
}

/** Notes that the thread is blocked until the call settles or is withdrawn. */
function blockIn<N extends Preview1Name>(
  process: Process,
  seat: Seat,
  name: N,
  inner: Waiting<CallResult<N>>,
): Waiting<CallResult<N>> {
  const outer = new Waiting<CallResult<N>>(() => {
    // If this settles the call, with a partial result, the listener below has done the rest.
    if (inner.withdraw()) process.blocked.delete(seat);
  });
  process.blocked.set(seat, { name, withdraw: () => outer.withdraw() });
  inner.whenDone((result) => {
    process.blocked.delete(seat);
    outer.settle(result);
  });
  return outer;
}
