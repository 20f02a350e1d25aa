/**
 * The home calls of one seat of a process, as home knows them: each has a number, one more than the call before it, and
 * is carried out at most once. The rules are in the head of kernel/deputy.ts.
 */
import { GodwitError } from '../base/errors.ts';
import { type CallNumber, callsAfter, nextCall } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';

/** What a call has come to: its marshalled reply, or a wait for that. */
export type Reply = Uint8Array | Waiting<Uint8Array>;

/** The call with the last number. */
type LastCall =
  | { readonly state: 'none' }
  | { readonly state: 'pending'; readonly waiting: Waiting<Uint8Array> }
  | { readonly state: 'done'; readonly reply: Uint8Array };

export class CallSeries {
  /** For messages. */
  readonly #whose: string;
  #last: CallNumber;
  #call: LastCall = { state: 'none' };
  /** Who waits for the pending call: a guest elsewhere by a reply, a guest here by a Waiting. */
  #listener: ((reply: Uint8Array) => void) | null = null;

  /** @param last the number of the call before the next one */
  constructor(whose: string, last: CallNumber) {
    this.#whose = whose;
    this.#last = last;
  }

  /** Nobody waits any more for a call under way; whoever wants its reply asks again. */
  forget(): void {
    this.#listener = null;
  }

  /**
   * A call of a guest elsewhere.
   * @param execute carries it out: called unless it has been before
   * @param reply takes its reply, now or later; not after another guest has asked, or {@link forget}
   * @throws GodwitError `protocol` if a number was left out
   */
  call(number: CallNumber, execute: () => Reply, reply: (bytes: Uint8Array) => void): void {
    const after = callsAfter(this.#last, number);
    if (after < 0) return;
    if (after > 1 || (after === 0 && this.#call.state === 'none')) {
      throw new GodwitError('protocol', `call ${number} of ${this.#whose} after call ${this.#last}`);
    }
    if (after === 1 && this.#call.state === 'pending') {
      throw new GodwitError('protocol', `call ${number} of ${this.#whose} while call ${this.#last} is under way`);
    }
    if (after === 1) this.begin(execute());
    this.#listen(reply);
  }

  /** See `Deputy.local`. */
  local(next: CallNumber): Reply | null {
    // A thread makes no call before the one before it is done.
    if (next === nextCall(this.#last) && this.#call.state !== 'pending') return null;
    if (next !== this.#last || this.#call.state === 'none') {
      throw new GodwitError('protocol', `${this.#whose} is at call ${next}, its deputy at ${this.#last}`);
    }
    if (this.#call.state === 'done') return this.#call.reply;
    const attached = new Waiting<Uint8Array>(() => this.forget());
    this.#listen((reply) => attached.settle(reply));
    return attached;
  }

  /** The next call has been made, and has come to this. @returns its number */
  begin(result: Reply): CallNumber {
    const number = (this.#last = nextCall(this.#last));
    this.forget();
    if (!(result instanceof Waiting)) {
      this.#call = { state: 'done', reply: result };
      return number;
    }
    this.#call = { state: 'pending', waiting: result };
    result.whenDone((reply) => {
      // Not after `close`.
      if (this.#call.state !== 'pending' || number !== this.#last) return;
      this.#call = { state: 'done', reply };
      const listener = this.#listener;
      this.forget();
      listener?.(reply);
    });
    return number;
  }

  /** A call under way is taken back. */
  close(): void {
    const call = this.#call;
    this.#call = { state: 'none' };
    this.forget();
    if (call.state === 'pending') call.waiting.withdraw();
  }

  #listen(listener: (reply: Uint8Array) => void): void {
    if (this.#call.state === 'done') listener(this.#call.reply);
    else this.#listener = listener;
  }
}
