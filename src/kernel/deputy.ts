/**
 * The home node's side of the system calls of a process that runs elsewhere. Each call has a number, one more than
 * the call before it, and is carried out at most once: the guest sends it again, with the same number, whenever it
 * cannot know what became of it (after a lost session, after a move while it was blocked). Each seat of the process has
 * its own series of numbers, for its threads make calls at once; a later thread at the seat goes on with them.
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
import { callNumber, type CallNumber, type Incarnation, type NodeId, type Pid, type Seat } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import { CallSeries, type Reply } from './call-series.ts';

/** Carries out one marshalled call. The request is a view that is valid during the call only. */
export type Execute = (seat: Seat, request: Uint8Array) => Reply;

/** The number of the first call of a seat. */
export const FIRST_CALL = callNumber(1);
const BEFORE_FIRST = callNumber(0);

export class Deputy {
  readonly #pid: Pid;
  readonly #execute: Execute;
  readonly #send: (to: NodeId, message: ProcessMessage) => void;
  /** Where the guest is and in which incarnation: written by {@link place} alone. */
  #node: NodeId;
  #incarnation: Incarnation;
  readonly #before: CallNumber;
  readonly #series = new Map<Seat, CallSeries>();

  /** @param before the number of the call before the first one of each seat */
  constructor(
    pid: Pid,
    node: NodeId,
    incarnation: Incarnation,
    execute: Execute,
    send: (to: NodeId, message: ProcessMessage) => void,
    before = BEFORE_FIRST,
  ) {
    this.#pid = pid;
    this.#node = node;
    this.#incarnation = incarnation;
    this.#execute = execute;
    this.#send = send;
    this.#before = before;
  }

  /** The process has another place, or incarnation. Calls under way stay so; the guest will ask for them again. */
  place(node: NodeId, incarnation: Incarnation): void {
    this.#node = node;
    this.#incarnation = incarnation;
    for (const series of this.#series.values()) series.forget();
  }

  /** A call of a guest elsewhere. @throws GodwitError `protocol` if a number was left out */
  call(from: NodeId, message: Named<ProcessMessage, 'call'>): void {
    const { pid, incarnation, seat, call } = message;
    if (from !== this.#node || incarnation !== this.#incarnation) {
      this.#send(from, { frame: 'free', pid, incarnation });
      return;
    }
    this.#at(seat).call(
      call,
      () => this.#execute(seat, message.request),
      (reply) => this.#send(from, { frame: 'reply', pid, incarnation, seat, call, reply }),
    );
  }

  /**
   * For the first call of a thread that has been resumed at home.
   * @param next the number of the seat's next call
   * @returns the result that call `next` has or will have, or null if it was never begun. Taking back the Waiting
   *   leaves the call under way.
   * @throws GodwitError `protocol` if the number, which came with the image, is not one that an honest node gives
   */
  local(seat: Seat, next: CallNumber): Reply | null {
    return this.#at(seat).local(next);
  }

  /**
   * Takes over a call that a guest at home has begun and cannot wait for because it moves.
   * @returns its number, with which the guest will ask for it
   */
  owe(seat: Seat, result: Reply): CallNumber {
    return this.#at(seat).begin(result);
  }

  /** The process has ended: calls under way are taken back. */
  close(): void {
    for (const series of this.#series.values()) series.close();
  }

  #at(seat: Seat): CallSeries {
    let series = this.#series.get(seat);
    if (series === undefined) {
      series = new CallSeries(`process ${this.#pid}`, this.#before);
      this.#series.set(seat, series);
    }
    return series;
  }
}
