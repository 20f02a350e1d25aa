/**
 * What a guest takes along besides its memory and the machine states of its threads: the part of an image that the
 * engine does not look into.
 */
import { ByteReader } from '../../base/bytes.ts';
import { GodwitError } from '../../base/errors.ts';
import { type CallNumber, callNumber, FIRST_SEAT, seat as seatOf } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import {
  branded,
  bool,
  bytes,
  decode,
  encode,
  list,
  optional,
  struct,
  u8,
  u32,
  u64,
  within,
} from '../../base/schema.ts';
import type { Carried } from '../../base/schema.ts';
import { MAX_THREAD_ID } from '../../abi/wasi-threads.ts';
import { decodeState, encodeState, staysBecause } from '../../capture/running/state.ts';
import type { Parked } from '../../guest/parking.ts';
import type { StayReason } from '../../kernel/stay.ts';
import type { CapturedThread } from './guest.ts';

export interface GuestBaggage {
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly monotonic: bigint;
  /** Of all its threads, those that are over too. */
  readonly cpuNanos: bigint;
  /** By seat: the number of the thread's next home call, or of the one that it is in. */
  readonly nextCalls: readonly CallNumber[];
  /** The id of the next thread that it starts. */
  readonly nextThreadId: number;
}

/** A guest that has left its code: all of it but memory. */
export interface GuestRest {
  readonly threads: readonly CapturedThread[];
  readonly baggage: GuestBaggage;
}

const text = bytes(LIMITS.argumentBytes);
const wait = struct({
  memory: u8,
  address: within(u64, 0n, BigInt(Number.MAX_SAFE_INTEGER)),
  deadline: optional(within(u64, 0n, (1n << 63n) - 1n)),
  /** How many of the process's threads wait longer. */
  place: u8,
});

/** One thread; its machine state is a record of its own, in the same order. */
const thread = struct({
  seat: branded(u8, 'seat', seatOf),
  id: within(u32, 0, MAX_THREAD_ID),
  argument: u32,
  cpuNanos: u64,
  woken: bool,
  waits: optional(wait),
});

const codec = struct({
  args: list(text),
  env: list(text),
  monotonic: u64,
  cpuNanos: u64,
  nextCalls: list(branded(u32, 'call number', callNumber), LIMITS.threads),
  nextThreadId: within(u32, 1, MAX_THREAD_ID),
  threads: list(thread, LIMITS.threads),
});

/** The parts of an image that it makes: the states of the threads, empty for one that has not begun, and the rest. */
export interface EncodedRest {
  readonly threads: readonly Uint8Array[];
  readonly kernel: Uint8Array;
}

/** Why threads that are captured cannot leave this node now: names of stay reasons. */
export function staysOf(threads: readonly CapturedThread[]): StayReason[] {
  const found = new Set(threads.map(({ state }) => state && staysBecause(state)).filter((reason) => reason !== null));
  const frames = threads.reduce((sum, { state }) => sum + (state?.frames.length ?? 0), 0);
  if (frames > LIMITS.imageStateBytes) found.add('deep_stack');
  return [...found];
}

/** @throws GodwitError `cannot_move` if one of the threads stays */
export function encodeRest({ threads, baggage }: GuestRest): EncodedRest {
  const arrivals = threads.flatMap(({ parked }) => (parked?.state === 'waiting' ? [parked.arrival] : []));
  const described = threads.map(({ seat, id, argument, cpuNanos, parked }) => ({
    seat,
    id,
    argument: argument >>> 0,
    cpuNanos,
    woken: parked?.state === 'woken',
    waits: waitOf(parked, arrivals),
  }));
  return {
    threads: threads.map(({ state }) => (state === null ? new Uint8Array(0) : encodeState(state))),
    kernel: encode(codec, { ...baggage, threads: described }),
  };
}

function waitOf(parked: Parked | null, arrivals: readonly number[]): Carried<typeof wait> | null {
  if (parked?.state !== 'waiting') return null;
  const { place, deadline, arrival } = parked;
  const longer = arrivals.filter((other) => other < arrival).length;
  return { memory: place.memory, address: BigInt(place.address), deadline, place: longer };
}

/**
 * Reads what {@link encodeRest} wrote. The states are checked against the program when they are taken up.
 * @throws GodwitError `corrupt`, `protocol` or `version_mismatch`
 */
export function decodeRest({ threads: states, kernel }: EncodedRest): GuestRest {
  const { threads: described, ...baggage } = decode(codec, new ByteReader(kernel));
  if (states.length !== described.length) {
    throw new GodwitError('corrupt', `an image with ${states.length} states of ${described.length} threads`);
  }
  const seats = new Set(described.map(({ seat }) => seat));
  const ids = new Set(described.map(({ id }) => id));
  const firstFits = described.every(({ seat, id }) => (seat === FIRST_SEAT) === (id === 0));
  const used = described.reduce((sum, { cpuNanos }) => sum + cpuNanos, 0n);
  const different = seats.size === described.length && ids.size === described.length;
  if (!different || !seats.has(FIRST_SEAT) || !firstFits || used > baggage.cpuNanos) {
    throw new GodwitError('corrupt', 'an image whose threads do not fit together');
  }
  const threads = described.map(({ seat, id, argument, cpuNanos, woken, waits }, index): CapturedThread => {
    const state = states[index] ?? new Uint8Array(0);
    return {
      seat,
      id,
      argument: argument | 0,
      cpuNanos,
      state: state.length === 0 ? null : decodeState(state),
      parked: parkedOf(woken, waits),
    };
  });
  return { threads, baggage };
}

function parkedOf(woken: boolean, waits: Carried<typeof wait> | null): Parked | null {
  if (woken) return { state: 'woken' };
  if (waits === null) return null;
  const { memory, address, deadline, place } = waits;
  return { state: 'waiting', place: { memory, address: Number(address) }, deadline, arrival: place + 1 };
}
