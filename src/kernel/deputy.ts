/**
 * The home node's side of the system calls of a process that runs elsewhere. Each call has a number, one more than
 * the call before it, and is carried out at most once: the guest sends it again, with the same number, whenever it
 * cannot know what became of it (after a lost session, after a move while it was blocked).
 *
 * | number                     | what happens                                                          |
 * |----------------------------|-----------------------------------------------------------------------|
 * | last + 1                   | carried out; the reply of the call before it is forgotten             |
 * | last, under way            | the reply will go to the guest that asked last                        |
 * | last, done                 | the kept reply is sent                                                |
 * | below last                 | ignored: an old copy, its guest has moved on                          |
 * | above last + 1             | the peer is broken                                                    |
 * | any, of an old incarnation | `free`: that guest must stop                                          |
 *
 * Numbers are compared as in `callsAfter` (base/ids.ts), for they begin again at 0 some day.
 *
 * While the guest is at home its calls go to the kernel directly and take no numbers. Three rules join the two:
 * - The guest's state holds the number of its next call. A call that is under way has that number too: there is no
 *   other mark, a resumed guest just makes its call again.
 * - At home, the first call of a guest that has been resumed asks {@link Deputy.local} first. If it gives a result,
 *   that is the call's, and the guest's next number is one more. If null, the call never got here: it is made like
 *   any other, and the number stays.
 * - A guest at home that is to be frozen in a call: the call is withdrawn and made again by the resumed guest; or, if
 *   it turns out to have settled, completed in place before the freeze; or, if it can do neither, handed over with
 *   {@link Deputy.owe}, so that the resumed guest finds it under its next number.
 */
import { GodwitError } from '../base/errors.ts';
import type { CallNumber, Incarnation, NodeId, Pid } from '../base/ids.ts';
import { callNumber, callsAfter, nextCall } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';

/** Carries out one marshalled call. The request is a view that is valid during the call only. */
export type Execute = (request: Uint8Array) => Uint8Array | Waiting<Uint8Array>;

/** The number of the first call of a process, with which its guest starts. */
export const FIRST_CALL = callNumber(1);
const BEFORE_FIRST = callNumber(0);

/** The call with the last number. */
type LastCall =
  | { readonly state: 'none' }
  | { readonly state: 'pending'; readonly waiting: Waiting<Uint8Array> }
  | { readonly state: 'done'; readonly reply: Uint8Array };

export class Deputy {
  readonly #pid: Pid;
  readonly #execute: Execute;
  readonly #send: (to: NodeId, message: ProcessMessage) => void;
  /** Where the guest is and in which incarnation: written by {@link place} alone. */
  #node: NodeId;
  #incarnation: Incarnation;
  #last: CallNumber;
  #call: LastCall = { state: 'none' };
  /** Who waits for the pending call: a guest elsewhere by a reply, a guest here by a Waiting. */
  #listener: ((reply: Uint8Array) => void) | null = null;

  /** @param last the number of the call before the next one */
  constructor(
    pid: Pid,
    node: NodeId,
    incarnation: Incarnation,
    execute: Execute,
    send: (to: NodeId, message: ProcessMessage) => void,
    last = BEFORE_FIRST,
  ) {
    this.#pid = pid;
    this.#node = node;
    this.#incarnation = incarnation;
    this.#execute = execute;
    this.#send = send;
    this.#last = last;
  }

  /** The process has another place, or incarnation. A call under way stays so; the guest will ask for it again. */
  place(node: NodeId, incarnation: Incarnation): void {
    this.#node = node;
    this.#incarnation = incarnation;
    this.#listener = null;
  }

  /** A call of a guest elsewhere. @throws GodwitError `protocol` if a number was left out */
  call(from: NodeId, message: Named<ProcessMessage, 'call'>): void {
    const { pid, incarnation, call } = message;
    if (from !== this.#node || incarnation !== this.#incarnation) {
      this.#send(from, { frame: 'free', pid, incarnation });
      return;
    }
    const after = callsAfter(this.#last, call);
    if (after < 0) return;
    if (after > 1 || (after === 0 && this.#call.state === 'none')) {
      throw new GodwitError('protocol', `call ${call} of process ${pid} after call ${this.#last}`);
    }
    if (after === 1 && this.#call.state === 'pending') {
      throw new GodwitError('protocol', `call ${call} of process ${pid} while call ${this.#last} is under way`);
    }
    if (after === 1) this.#begin(this.#execute(message.request));
    this.#listen((reply) => this.#send(from, { frame: 'reply', pid, incarnation, call, reply }));
  }

  /**
   * For the first call of a guest that has been resumed at home.
   * @param next the number of the guest's next call
   * @returns the result that call `next` has or will have, or null if it was never begun. Taking back the Waiting
   *   leaves the call under way.
   * @throws GodwitError `protocol` if the number, which came with the image, is not one that an honest node gives
   */
  local(next: CallNumber): Uint8Array | Waiting<Uint8Array> | null {
    if (next === nextCall(this.#last)) return null;
    if (next !== this.#last || this.#call.state === 'none') {
      throw new GodwitError('protocol', `process ${this.#pid} is at call ${next}, its deputy at ${this.#last}`);
    }
    if (this.#call.state === 'done') return this.#call.reply;
    const attached = new Waiting<Uint8Array>(() => {
      this.#listener = null;
    });
    this.#listen((reply) => attached.settle(reply));
    return attached;
  }

  /**
   * Takes over a call that a guest at home has begun and cannot wait for because it moves.
   * @returns its number, with which the guest will ask for it
   */
  owe(result: Uint8Array | Waiting<Uint8Array>): CallNumber {
    this.#begin(result);
    return this.#last;
  }

  /** The process has ended: a call under way is taken back. */
  close(): void {
    const call = this.#call;
    this.#call = { state: 'none' };
    this.#listener = null;
    if (call.state === 'pending') call.waiting.withdraw();
  }

  #begin(result: Uint8Array | Waiting<Uint8Array>): void {
    const number = (this.#last = nextCall(this.#last));
    this.#listener = null;
    if (!(result instanceof Waiting)) {
      this.#call = { state: 'done', reply: result };
      return;
    }
    this.#call = { state: 'pending', waiting: result };
    result.whenDone((reply) => {
      // Not after `close`.
      if (this.#call.state !== 'pending' || number !== this.#last) return;
      this.#call = { state: 'done', reply };
      const listener = this.#listener;
      this.#listener = null;
      listener?.(reply);
    });
  }

  #listen(listener: (reply: Uint8Array) => void): void {
    if (this.#call.state === 'done') listener(this.#call.reply);
    else this.#listener = listener;
  }
}
