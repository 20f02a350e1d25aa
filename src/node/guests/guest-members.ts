/** Which threads a guest has: their seats, their ids, and what they and those before them have used. */
import type { MachineState } from '../../capture/running/state.ts';
import { MAX_THREAD_ID } from '../../abi/wasi-threads.ts';
import { type Seat, seat as seatOf } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import type { ThreadIdentity, ThreadReport } from '../../guest/messages.ts';
import type { HostedThread } from './guest-thread.ts';

/** A thread of a guest. */
export interface Member {
  readonly identity: ThreadIdentity;
  readonly hosted: HostedThread;
  /** `starting`: its worker is being prepared. */
  phase: 'starting' | 'running' | 'captured';
  /** It goes on, but its code does not run yet. */
  takingUp: boolean;
  /** Once captured: null, it has not begun. */
  state: MachineState | null;
  /** As last reported, or as it came. */
  cpuNanos: bigint;
  localCalls: number;
}

export class GuestMembers {
  readonly #bySeat = new Map<Seat, Member>();
  /** The id of the next thread, if that is not in use. */
  nextId = 1;
  /** Of threads that are over. */
  #overCpuNanos = 0n;
  #overLocalCalls = 0;

  get size(): number {
    return this.#bySeat.size;
  }

  get all(): readonly Member[] {
    return [...this.#bySeat.values()];
  }

  at(seat: Seat): Member | undefined {
    return this.#bySeat.get(seat);
  }

  /** A thread is there, or goes on at its seat. */
  admit(identity: ThreadIdentity, hosted: HostedThread): Member {
    const { seat, cpuNanos } = identity;
    const localCalls = this.#bySeat.get(seat)?.localCalls ?? 0;
    const start = { phase: 'running', takingUp: false, state: null } as const;
    const member: Member = { identity, hosted, ...start, cpuNanos, localCalls };
    this.#bySeat.set(seat, member);
    return member;
  }

  /** A thread is over. */
  remove({ identity, cpuNanos, localCalls }: Member): void {
    this.#bySeat.delete(identity.seat);
    this.#overCpuNanos += cpuNanos;
    this.#overLocalCalls += localCalls;
  }

  /** The lowest seat that is free, or null. */
  freeSeat(): Seat | null {
    for (let n = 0; n < LIMITS.threads; n++) if (!this.#bySeat.has(seatOf(n))) return seatOf(n);
    return null;
  }

  /** An id that no thread has. */
  newId(): number {
    const inUse = new Set(this.all.map(({ identity }) => identity.id));
    for (;;) {
      const id = this.nextId;
      this.nextId = id === MAX_THREAD_ID ? 1 : id + 1;
      if (!inUse.has(id)) return id;
    }
  }

  /** What threads have used that were over before the guest came here. */
  cameWith(overCpuNanos: bigint): void {
    this.#overCpuNanos = overCpuNanos;
  }

  /** Of all threads that the guest has ever had, as last known. */
  get used(): Pick<ThreadReport, 'cpuNanos' | 'localCalls'> {
    let cpuNanos = this.#overCpuNanos;
    let localCalls = this.#overLocalCalls;
    for (const member of this.#bySeat.values()) {
      // What it has reported is exact; until it has, its worker has been asked now and then.
      const asked = member.identity.cpuNanos + member.hosted.lastCpuNanos;
      cpuNanos += asked > member.cpuNanos && member.hosted.running ? asked : member.cpuNanos;
      localCalls += member.localCalls;
    }
    return { cpuNanos, localCalls };
  }
}
