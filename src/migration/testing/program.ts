/**
 * What the model guests execute: for each of their threads a list of steps that can be stopped between any two, and
 * whose outcome is known in advance. Every reply goes into a running checksum, so that a reply that is lost, doubled or
 * of another call, or of another thread's, shows.
 */
import type { SeededRandom } from '../../base/virtual.ts';

export type Step =
  /** Changes the guest's memory only. */
  | { readonly kind: 'count' }
  /** Changes something outside the guest on the node where it is. */
  | { readonly kind: 'here' }
  /** Appends the step's position to the thread's log at home. */
  | { readonly kind: 'append' }
  /** The same, after so many milliseconds: the thread is blocked meanwhile. */
  | { readonly kind: 'block'; readonly ms: number };

export interface Program {
  /** Each thread's steps, by seat. The process ends when all have been executed. */
  readonly threads: readonly Step[][];
  readonly status: number;
  /** Of its image. */
  readonly bytes: number;
}

/** All that a thread is, besides its steps. */
export interface ThreadState {
  position: number;
  checksum: number;
  /** The number of its next home call. */
  nextCall: number;
  /** Differs between two guests that execute the same steps, as clocks and random numbers make them differ. */
  noise: number;
}

export function mix(checksum: number, value: number): number {
  return (Math.imul(checksum ^ value, 0x9e37_79b1) ^ (checksum >>> 15)) >>> 0;
}

/** What home answers to the step at `position` when the log of the thread at `seat` has `length` entries with this one. */
export function replyTo(seat: number, position: number, length: number): number {
  return (seat * 1_000_000 + position * 1000 + length) >>> 0;
}

export const isCall = ({ kind }: Step): boolean => kind === 'append' || kind === 'block';

/** Of each thread, by seat. */
export function outcome({ threads }: Program): { readonly checksum: number; readonly log: number[] }[] {
  return threads.map((steps, seat) => {
    const log: number[] = [];
    let checksum = 1;
    for (const [position, step] of steps.entries()) {
      if (isCall(step)) log.push(position);
      checksum = mix(checksum, isCall(step) ? replyTo(seat, position, log.length) : position);
    }
    return { checksum, log };
  });
}

/** @param length steps of the first thread; the others have fewer */
export function randomProgram(random: SeededRandom, length: number): Program {
  const count = random.oneIn(2) ? 1 : 2 + random.below(2);
  const threads = Array.from({ length: count }, (_, seat) => {
    const steps: Step[] = [];
    const wanted = seat === 0 ? length : random.below(length);
    for (let i = 0; i < wanted; i++) {
      const kind = random.pick(['count', 'here', 'append', 'block'] as const);
      steps.push(kind === 'block' ? { kind, ms: random.oneIn(8) ? 3000 : random.below(300) } : { kind });
    }
    return steps;
  });
  return { threads, status: random.below(100), bytes: random.pick([100, 10_000, 700_000, 1_500_000]) };
}
