/**
 * Home calls on the guest's side: each thread of a guest away from home has at most one under way, which is sent again
 * after a lost session until its reply comes. The numbers, one series a seat, travel with the guest; kernel/deputy.ts
 * says how home deals with them.
 */
import { assert } from '../base/assert.ts';
import type { CallNumber, Incarnation, NodeId, Pid, Seat } from '../base/ids.ts';
import { nextCall } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import { FIRST_CALL } from './deputy.ts';

interface UnderWay {
  readonly request: Uint8Array;
  readonly done: (reply: Uint8Array) => void;
}

interface Caller {
  readonly home: NodeId;
  readonly incarnation: Incarnation;
  /** By seat: the number of the call under way, or of the next one if there is none. */
  readonly next: CallNumber[];
  readonly underWay: Map<Seat, UnderWay>;
}

export class HomeCalls {
  readonly #send: (to: NodeId, message: ProcessMessage) => void;
  readonly #callers = new Map<Pid, Caller>();

  constructor(send: (to: NodeId, message: ProcessMessage) => void) {
    this.#send = send;
  }

  /** A guest starts, or goes on, on this node. @param next from its image: by seat; seats beyond have made no call */
  open(pid: Pid, home: NodeId, incarnation: Incarnation, next: readonly CallNumber[]): void {
    this.#callers.set(pid, { home, incarnation, next: [...next], underWay: new Map() });
  }

  /**
   * Carries out a call at home. The bytes are kept until the reply comes.
   * @param done called with the reply, a view that is valid during the call only; never after {@link leave} or
   *   {@link close}. Whether the bytes are a reply is for it to check; the call is over, home would say the same again.
   */
  call(pid: Pid, seat: Seat, request: Uint8Array, done: (reply: Uint8Array) => void): void {
    const caller = this.#callers.get(pid);
    assert(caller && !caller.underWay.has(seat), `process ${pid} cannot make a home call now`);
    while (caller.next.length <= seat) caller.next.push(FIRST_CALL);
    caller.underWay.set(seat, { request, done });
    this.#sendCall(pid, caller, seat, request);
  }

  /** The thread leaves its call, to make it again when it goes on: its reply is no longer wanted here. */
  leave(pid: Pid, seat: Seat): void {
    const wasIn = this.#callers.get(pid)?.underWay.delete(seat);
    assert(wasIn, `process ${pid} is in no home call`);
  }

  /** The guest is frozen, or over. @returns the numbers for its image: calls under way are made again under them */
  close(pid: Pid): readonly CallNumber[] {
    const caller = this.#callers.get(pid);
    assert(caller, `process ${pid} has no guest here`);
    this.#callers.delete(pid);
    return caller.next;
  }

  reply(from: NodeId, { pid, incarnation, seat, call, reply }: Named<ProcessMessage, 'reply'>): void {
    const caller = this.#callers.get(pid);
    if (caller?.home !== from || caller.incarnation !== incarnation || caller.next[seat] !== call) return;
    const underWay = caller.underWay.get(seat);
    if (!underWay) return;
    caller.underWay.delete(seat);
    caller.next[seat] = nextCall(call);
    underWay.done(reply);
  }

  /** The session with this home was lost: calls or replies may be lost. To be called after `Roles.peer`. */
  reset(home: NodeId): void {
    for (const [pid, caller] of this.#callers) {
      if (caller.home !== home) continue;
      for (const [seat, { request }] of caller.underWay) this.#sendCall(pid, caller, seat, request);
    }
  }

  #sendCall(pid: Pid, { home, incarnation, next }: Caller, seat: Seat, request: Uint8Array): void {
    const call = next[seat] ?? FIRST_CALL;
    this.#send(home, { frame: 'call', pid, incarnation, seat, call, request });
  }
}
