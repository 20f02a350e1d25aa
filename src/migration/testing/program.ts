/**
 * What the model guests execute: a list of steps that can be stopped between any two, and whose outcome is known in
 * advance. Every reply goes into a running checksum, so that a reply that is lost, doubled or of another call shows.
 */
import type { SeededRandom } from '../../base/virtual.ts';

export type Step =
  /** Changes the guest's memory only. */
  | { readonly kind: 'count' }
  /** Changes something outside the guest on the node where it is. */
  | { readonly kind: 'here' }
  /** Appends the step's position to the log at home. */
  | { readonly kind: 'append' }
  /** The same, after so many milliseconds: the guest is blocked meanwhile. */
  | { readonly kind: 'block'; readonly ms: number };

export interface Program {
  readonly steps: Step[];
  readonly status: number;
  /** Of its image. */
  readonly bytes: number;
}

/** All that a guest is, besides the steps. */
export interface GuestState {
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

/** What home answers to the step at `position` when its log has `length` entries with this one. */
export function replyTo(position: number, length: number): number {
  return (position * 1000 + length) >>> 0;
}

export function outcome(program: Program): { checksum: number; log: number[] } {
  const log: number[] = [];
  let checksum = 1;
  for (const [position, { kind }] of program.steps.entries()) {
    const home = kind === 'append' || kind === 'block';
    if (home) log.push(position);
    checksum = mix(checksum, home ? replyTo(position, log.length) : position);
  }
  return { checksum, log };
}

export function randomProgram(random: SeededRandom, length: number): Program {
  const steps: Step[] = [];
  for (let i = 0; i < length; i++) {
    const kind = random.pick(['count', 'here', 'append', 'block'] as const);
    steps.push(kind === 'block' ? { kind, ms: random.oneIn(8) ? 3000 : random.below(300) } : { kind });
  }
  return { steps, status: random.below(100), bytes: random.pick([100, 10_000, 700_000, 1_500_000]) };
}
