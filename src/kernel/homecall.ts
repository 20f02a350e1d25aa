/**
 * Home calls on the guest's side: each guest away from home has at most one under way, which is sent again after a
 * lost session until its reply comes. The number travels with the guest; kernel/deputy.ts says how home deals with it.
 */
import { assert } from '../base/assert.ts';
import type { CallNumber, Incarnation, NodeId, Pid } from '../base/ids.ts';
import { nextCall } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';

interface UnderWay {
  readonly request: Uint8Array;
  readonly done: (reply: Uint8Array) => void;
}

interface Caller {
  readonly home: NodeId;
  readonly incarnation: Incarnation;
  /** The number of the call under way, or of the next one if there is none. */
  next: CallNumber;
  underWay: UnderWay | null;
}

export class HomeCalls {
  readonly #send: (to: NodeId, message: ProcessMessage) => void;
  readonly #callers = new Map<Pid, Caller>();

  constructor(send: (to: NodeId, message: ProcessMessage) => void) {
    this.#send = send;
  }

  /** A guest starts, or goes on, on this node. @param next from its image */
  open(pid: Pid, home: NodeId, incarnation: Incarnation, next: CallNumber): void {
    this.#callers.set(pid, { home, incarnation, next, underWay: null });
  }

  /**
   * Carries out a call at home. The bytes are kept until the reply comes.
   * @param done called with the reply, a view that is valid during the call only; never after {@link leave} or
   *   {@link close}. Whether the bytes are a reply is for it to check; the call is over, home would say the same again.
   */
  call(pid: Pid, request: Uint8Array, done: (reply: Uint8Array) => void): void {
    const caller = this.#callers.get(pid);
    assert(caller && !caller.underWay, `process ${pid} cannot make a home call now`);
    caller.underWay = { request, done };
    this.#sendCall(pid, caller, request);
  }

  /** The guest leaves its call, to make it again when it goes on: its reply is no longer wanted here. */
  leave(pid: Pid): void {
    const caller = this.#callers.get(pid);
    assert(caller?.underWay, `process ${pid} is in no home call`);
    caller.underWay = null;
  }

  /** The guest is frozen, or over. @returns the number for its image: a call under way is made again under it */
  close(pid: Pid): CallNumber {
    const caller = this.#callers.get(pid);
    assert(caller, `process ${pid} has no guest here`);
    this.#callers.delete(pid);
    return caller.next;
  }

  reply(from: NodeId, { pid, incarnation, call, reply }: Named<ProcessMessage, 'reply'>): void {
    const caller = this.#callers.get(pid);
    if (caller?.home !== from || caller.incarnation !== incarnation || caller.next !== call) return;
    const { underWay } = caller;
    if (!underWay) return;
    caller.underWay = null;
    caller.next = nextCall(call);
    underWay.done(reply);
  }

  /** The session with this home was lost: calls or replies may be lost. To be called after `Roles.peer`. */
  reset(home: NodeId): void {
    for (const [pid, caller] of this.#callers) {
      if (caller.home === home && caller.underWay) this.#sendCall(pid, caller, caller.underWay.request);
    }
  }

  #sendCall(pid: Pid, { home, incarnation, next }: Caller, request: Uint8Array): void {
    this.#send(home, { frame: 'call', pid, incarnation, call: next, request });
  }
}
