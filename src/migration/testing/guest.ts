/**
 * A guest of a simulated daemon: executes the threads of a program (testing/program.ts), each step by step in virtual
 * time, with calls of several threads under way at once.
 */
import assert from 'node:assert/strict';
import type { Clock, Timer } from '../../base/env.ts';
import type { CallNumber, Incarnation, NodeId, Pid, Seat } from '../../base/ids.ts';
import { callNumber, seat as seatOf } from '../../base/ids.ts';
import { Waiting } from '../../base/waiting.ts';
import { FIRST_CALL } from '../../kernel/deputy.ts';
import type { ImageSource } from '../hosts.ts';
import type { SimNode } from './node.ts';
import type { Program, ThreadState } from './program.ts';
import { mix } from './program.ts';

export const bytesOf = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
export const numbersOf = (bytes: Uint8Array): number[] => [...new Uint32Array(bytes.slice().buffer)];

/** Of an image: the states of all threads fit into it. */
const HEAD_BYTES = 64;
const filler = new Uint8Array(2_000_000);

export interface GuestSpec {
  readonly pid: Pid;
  readonly home: NodeId;
  readonly program: Program;
  readonly incarnation: Incarnation;
  readonly threads: readonly ThreadState[];
  readonly phase: SimGuest['phase'];
  readonly paused: boolean;
}

/** The threads of a program that has not begun. */
export function beginning({ threads }: Program): ThreadState[] {
  return threads.map(() => ({ position: 0, checksum: 1, nextCall: Number(FIRST_CALL), noise: 0 }));
}

/** The threads that an image's first bytes hold. */
export function threadsOf({ threads }: Program, head: Uint8Array): ThreadState[] {
  const numbers = numbersOf(head);
  return threads.map((_, seat) => {
    const [position = 0, checksum = 0, nextCall = 0, noise = 0] = numbers.slice(4 * seat, 4 * seat + 4);
    return { position, checksum, nextCall, noise };
  });
}

export class SimGuest {
  readonly pid: Pid;
  readonly home: NodeId;
  readonly program: Program;
  readonly threads: readonly SimThread[];
  readonly node: SimNode;
  readonly clock: Clock;
  incarnation: Incarnation;
  /** `ended` guests are gone from the node's table. */
  phase: 'starting' | 'running' | 'freezing' | 'frozen';
  paused: boolean;

  constructor(node: SimNode, clock: Clock, spec: GuestSpec) {
    this.pid = spec.pid;
    this.home = spec.home;
    this.program = spec.program;
    this.incarnation = spec.incarnation;
    this.phase = spec.phase;
    this.paused = spec.paused;
    this.node = node;
    this.clock = clock;
    this.threads = spec.threads.map((state, seat) => new SimThread(this, seatOf(seat), state));
    if (!this.atHome) this.open(this.threads.map(({ state }) => callNumber(state.nextCall)));
  }

  get atHome(): boolean {
    return this.home === this.node.id;
  }

  get executes(): boolean {
    const runs = this.phase === 'running' || this.phase === 'freezing';
    return runs && !this.paused && this.node.guests.get(this.pid) === this;
  }

  open(next: readonly CallNumber[]): void {
    this.node.calls.open(this.pid, this.home, this.incarnation, next);
  }

  /** The threads that can go on do. */
  goOn(): void {
    for (const thread of this.threads) if (!thread.calling) thread.later();
  }

  /** It goes on here after it was frozen, or ordered to freeze, under another incarnation. */
  resume(incarnation: Incarnation): void {
    const wasFrozen = this.phase === 'frozen';
    this.phase = 'running';
    this.incarnation = incarnation;
    if (!this.atHome) {
      const kept = this.threads.map(({ state }) => callNumber(state.nextCall));
      this.open(wasFrozen ? kept : this.node.calls.close(this.pid));
    }
    for (const thread of this.threads) {
      if (!this.atHome) thread.calling = false;
      if (wasFrozen) thread.resumed = true;
    }
  }

  freeze(): ImageSource {
    if (!this.atHome) {
      const next = this.node.calls.close(this.pid);
      for (const { seat, state } of this.threads) state.nextCall = next[seat] ?? Number(FIRST_CALL);
    }
    for (const thread of this.threads) thread.freeze();
    this.phase = 'frozen';
    return this.#image();
  }

  /** Its node has no use for it any more. */
  forget(): void {
    for (const thread of this.threads) thread.forget();
    if (!this.atHome && this.phase !== 'frozen') this.node.calls.close(this.pid);
  }

  /** A thread is done: the last one ends the process. */
  finished(): void {
    const { threads, program } = this;
    if (threads.some(({ done }) => !done)) return;
    const checksums = threads.map(({ state }) => state.checksum);
    this.node.ended(this, checksums, program.status);
  }

  #image(): ImageSource {
    const { bytes } = this.program;
    const numbers = this.threads.flatMap(({ state }) => [state.position, state.checksum, state.nextCall, state.noise]);
    let at = 0;
    return {
      bytes,
      next: (max) => {
        const size = Math.min(max, bytes - at);
        const chunk = at === 0 ? new Uint8Array(Math.min(size, HEAD_BYTES)) : filler.subarray(at, at + size);
        if (at === 0) chunk.set(bytesOf(...numbers));
        at += chunk.length;
        return chunk.length > 0 ? chunk : null;
      },
      digest: () => new Uint8Array(32).fill((numbers[0] ?? 0) % 256),
    };
  }
}

export class SimThread {
  readonly seat: Seat;
  readonly state: ThreadState;
  readonly #guest: SimGuest;
  /** Resumed at home, and has made no call since: it must ask the deputy first. */
  resumed = true;
  /** In a call, here or at home. */
  calling = false;
  /** Blocked in a call of the kernel of this node; null while it runs or waits for another node. */
  #blocked: Waiting<Uint8Array> | null = null;
  #step: Timer | null = null;

  constructor(guest: SimGuest, seat: Seat, state: ThreadState) {
    this.#guest = guest;
    this.seat = seat;
    this.state = state;
  }

  get done(): boolean {
    return this.state.position >= (this.#guest.program.threads[this.seat]?.length ?? 0);
  }

  later(): void {
    const { node, clock } = this.#guest;
    this.#step?.cancel();
    this.#step = clock.after(node.random.below(node.world.stepMs), () => this.#execute());
  }

  forget(): void {
    this.#step?.cancel();
    this.#blocked?.withdraw();
  }

  freeze(): void {
    if (this.#guest.atHome && this.#blocked) this.#leaveCall(this.#blocked);
    this.calling = false;
    this.#blocked = null;
    this.#step?.cancel();
  }

  #execute(): void {
    const guest = this.#guest;
    const { node, pid } = guest;
    const { world } = node;
    if (!guest.executes || this.calling) return;
    world.executes(node, guest);
    const { state, seat } = this;
    const step = guest.program.threads[seat]?.[state.position];
    if (!step) return guest.finished();
    if (step.kind === 'count' || step.kind === 'here') {
      // The guest's own thread checks the lease before it changes anything outside its memory.
      if (step.kind === 'here' && !node.roles.guests.leases.valid(guest.home)) return this.later();
      if (step.kind === 'here') world.outside(node, guest);
      state.checksum = mix(state.checksum, state.position++);
      state.noise = node.random.next();
      return this.later();
    }
    this.calling = true;
    const request = bytesOf(state.position, step.kind === 'block' ? step.ms : -1, state.noise);
    if (guest.atHome) this.#callHere(request);
    else node.calls.call(pid, seat, request, (reply) => this.#returns(reply, true));
  }

  /** A call of a guest at home: straight into the kernel, but for the first one after a resume. */
  #callHere(request: Uint8Array): void {
    const { node, pid } = this.#guest;
    const owed = this.resumed ? node.deputy(pid).local(this.seat, callNumber(this.state.nextCall)) : null;
    this.resumed = false;
    const result = owed ?? node.execute(pid, this.seat, request);
    if (!(result instanceof Waiting)) this.#returns(result, owed !== null);
    else {
      this.#blocked = result;
      result.whenDone((reply) => this.#returns(reply, owed !== null));
      // The result belongs to call `nextCall` at the deputy: a guest that is frozen meanwhile leaves it there.
      this.resumed = owed !== null;
    }
  }

  #returns(reply: Uint8Array, numbered: boolean): void {
    const guest = this.#guest;
    if (!this.calling || guest.node.guests.get(guest.pid) !== guest) return;
    this.calling = false;
    this.#blocked = null;
    this.resumed = false;
    const { state } = this;
    const [value = 0, noise = 0] = numbersOf(reply);
    assert.equal(noise, state.noise, 'a thread gets the reply to a call of another one');
    if (numbered) state.nextCall++;
    state.checksum = mix(state.checksum, value);
    state.position++;
    this.later();
  }

  /** A guest at home is frozen while this thread is in a call: the three ways of kernel/deputy.ts. */
  #leaveCall(blocked: Waiting<Uint8Array>): void {
    const { node, pid } = this.#guest;
    // A numbered call stays with the deputy.
    if (this.resumed) blocked.withdraw();
    else if (node.random.oneIn(2)) {
      this.state.nextCall = node.deputy(pid).owe(this.seat, blocked);
      node.world.count('owed');
    } else if (!blocked.withdraw()) node.world.count('completed in place');
  }
}
