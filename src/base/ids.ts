/**
 * Branded identifiers. A plain number cannot be passed where one of these is meant; the only way in is the
 * checking constructor beside each type.
 */
import { LIMITS } from './limits.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A node of the cluster: 1 to {@link MAX_NODE_ID}, given by the membership, kept across restarts. */
export type NodeId = Branded<number, 'NodeId'>;

/** A process of the cluster: `home node id * 65536 + n`, unique in the cluster, never changed by a move. */
export type Pid = Branded<number, 'Pid'>;

/** How often a process has been placed: +1 at its home node at every move. A guest with an old one must stop. */
export type Incarnation = Branded<number, 'Incarnation'>;

/** One attempt to move one process, unique at its home node while that node is up. */
export type MoveId = Branded<number, 'MoveId'>;

/**
 * The place of a thread in its process, from 0 below LIMITS.threads: its own while it lives, another thread's later. The
 * first thread has {@link FIRST_SEAT}. What has to be kept for each thread is kept by seats, of which there are only so
 * many, and not by the ids that threads themselves know, of which there is no end.
 */
export type Seat = Branded<number, 'Seat'>;

/**
 * The number of a home call of one seat of a process: rises by one with each call, so that none is carried out twice.
 * After the last one comes 0 again ({@link nextCall}): a thread that makes a call every 50 µs is there in three days.
 */
export type CallNumber = Branded<number, 'CallNumber'>;

/** A node id has 15 bits, so that every pid is a positive 32-bit integer (WASIX: pid is a signed C int). */
export const MAX_NODE_ID = 0x7fff;

/** Pids that one node can give before it starts again at 1 (passing over the ones in use). */
export const PIDS_PER_NODE = 0x10000;

const isUint32 = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff;

/** @throws RangeError if `n` is not an integer from 1 to {@link MAX_NODE_ID} */
export function nodeId(n: number): NodeId {
  if (!Number.isInteger(n) || n < 1 || n > MAX_NODE_ID) throw new RangeError(`not a node id: ${n}`);
  return n as NodeId;
}

/** @throws RangeError if `n` is not a positive 32-bit integer with a node id in its upper half */
export function pid(n: number): Pid {
  if (!Number.isInteger(n) || n < PIDS_PER_NODE || n > 0x7fff_ffff) throw new RangeError(`not a pid: ${n}`);
  return n as Pid;
}

/** The pid that node `home` gives as its `serial`-th (1 to 65535). */
export function makePid(home: NodeId, serial: number): Pid {
  if (!Number.isInteger(serial) || serial < 1 || serial >= PIDS_PER_NODE)
    throw new RangeError(`not a pid serial: ${serial}`);
  return (home * PIDS_PER_NODE + serial) as Pid;
}

/** The node that created the process. */
export function creatorOf(p: Pid): NodeId {
  return nodeId(Math.floor(p / PIDS_PER_NODE));
}

/** @throws RangeError if `n` is not an unsigned 32-bit integer */
export function incarnation(n: number): Incarnation {
  if (!isUint32(n)) throw new RangeError(`not an incarnation: ${n}`);
  return n as Incarnation;
}

/** @throws RangeError if `n` is not an unsigned 32-bit integer */
export function moveId(n: number): MoveId {
  if (!isUint32(n)) throw new RangeError(`not a move id: ${n}`);
  return n as MoveId;
}

export const FIRST_SEAT = 0 as Seat;

/** @throws RangeError if `n` is not an integer from 0 below LIMITS.threads */
export function seat(n: number): Seat {
  if (!Number.isInteger(n) || n < 0 || n >= LIMITS.threads) throw new RangeError(`not a seat: ${n}`);
  return n as Seat;
}

/** @throws RangeError if `n` is not an unsigned 32-bit integer */
export function callNumber(n: number): CallNumber {
  if (!isUint32(n)) throw new RangeError(`not a call number: ${n}`);
  return n as CallNumber;
}

/** The number after this one. */
export function nextCall(call: CallNumber): CallNumber {
  return ((call + 1) >>> 0) as CallNumber;
}

/**
 * How many calls `call` is after `last`, from -2^31 to 2^31 - 1: negative if it is the older one. As in the serial
 * number arithmetic of RFC 1982, numbers are compared over the point where they begin again.
 */
export function callsAfter(last: CallNumber, call: CallNumber): number {
  return (call - last) | 0;
}
