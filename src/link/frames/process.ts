/**
 * Frames between the home node of a process and the node where its guest is: home calls, the end of a process, the
 * guest's lease and the comparison of what both sides believe after a session was lost. Types 0x40 to 0x5f.
 *
 * Every frame names the incarnation that it is about. The home node acts only on frames of the current one.
 */
import { callNumber, incarnation, moveId, nodeId, pid, seat } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Struct } from '../../base/schema.ts';
import {
  bool,
  branded,
  bytes,
  f64,
  list,
  oneOf,
  optional,
  str,
  struct,
  u16,
  u8,
  u32,
  u64,
  within,
} from '../../base/schema.ts';
import type { FrameTable } from './table.ts';

export const pidField = branded(u32, 'pid', pid);
export const nodeField = branded(u16, 'node id', nodeId);
export const incarnationField = branded(u32, 'incarnation', incarnation);
export const moveField = branded(u32, 'move id', moveId);
const seatField = branded(u8, 'seat', seat);
const callField = branded(u32, 'call number', callNumber);

export const memoryField = within(u64, 0n, BigInt(LIMITS.memoryBytes));
export const durationField = within(f64, 0, LIMITS.toldMs);
/** How many threads a process has. */
export const threadsField = within(u8, 1, LIMITS.threads);
const countField = within(u64, 0n, BigInt(Number.MAX_SAFE_INTEGER));

/** What a guest has used on the node where it is, since its incarnation began. */
export const usage = struct({
  cpuMs: durationField,
  memoryBytes: memoryField,
  localCalls: countField,
  /** That it has at the moment. */
  threads: threadsField,
  /** Those of them that wait for others of them. */
  waiting: list(seatField, LIMITS.threads),
});

/** How a process ended: by itself, by a trap, or because the engine could not go on with it. */
const endCause = oneOf('exit', 'trap', 'engine');

/** What a node holds of a process: see `holdings`. */
const holdingState = oneOf(
  'starting',
  'running',
  'freezing',
  'frozen',
  'ended',
  'reserving',
  'reserved',
  'receiving',
  'ready',
);

export const PROCESS_FRAMES = {
  call: {
    type: 0x40,
    doc:
      'Guest to home: carry out home call `call` of the thread at `seat`, whose calls have their own numbers. Sent again ' +
      'with the same number until `reply` comes; carried out once.',
    fields: {
      pid: pidField,
      incarnation: incarnationField,
      seat: seatField,
      call: callField,
      request: bytes(LIMITS.homeCallFrameBytes),
    },
  },
  reply: {
    type: 0x41,
    doc: 'Home to guest: the result of home call `call` of the thread at `seat`.',
    fields: {
      pid: pidField,
      incarnation: incarnationField,
      seat: seatField,
      call: callField,
      reply: bytes(LIMITS.homeCallFrameBytes),
    },
  },
  ended: {
    type: 0x42,
    doc: 'Guest to home: the process ended here. Sent again after a lost session until home answers with `free`.',
    fields: {
      pid: pidField,
      incarnation: incarnationField,
      cause: endCause,
      status: u32,
      report: optional(str),
      usage,
    },
  },
  usage: {
    type: 0x43,
    doc: 'Guest to home, now and then: what the guest has used on this node so far.',
    fields: { pid: pidField, incarnation: incarnationField, usage },
  },
  free: {
    type: 0x44,
    doc:
      'Home to a node: drop whatever guest you hold of this process with this incarnation or an older one: a frozen ' +
      'copy after a move, a killed process, one that has ended, one that is no longer current.',
    fields: { pid: pidField, incarnation: incarnationField },
  },
  set_stopped: {
    type: 0x45,
    doc: 'Home to guest: the process is stopped (SIGSTOP) or goes on (SIGCONT).',
    fields: { pid: pidField, incarnation: incarnationField, stopped: bool },
  },
  lease_ask: {
    type: 0x48,
    doc: 'Node to home: let the guests of your processes here run on. Carries the asking node’s own two clocks.',
    fields: { monotonicMs: f64, wallNanos: u64 },
  },
  lease: {
    type: 0x49,
    doc: 'Home to node: yes, counted from the moment of asking, which is sent back as it came.',
    fields: { monotonicMs: f64, wallNanos: u64 },
  },
  holdings: {
    type: 0x4a,
    doc:
      'Node to home, first thing after their session was lost: all that this node holds of your processes. ' +
      'What is not in the list is not here (any more).',
    fields: {
      entries: list(
        struct({ pid: pidField, incarnation: incarnationField, move: optional(moveField), state: holdingState }),
        LIMITS.holdings,
      ),
    },
  },
} as const satisfies FrameTable;

/** The frames of a table as values: `{ frame: 'name', ...fields }`. */
export type MessageOf<T extends FrameTable> = {
  [K in keyof T]: { readonly frame: K } & Struct<T[K]['fields']>;
}[keyof T];

export type ProcessMessage = MessageOf<typeof PROCESS_FRAMES>;

/** One message of a union by its name. */
export type Named<M extends { readonly frame: string }, N extends M['frame']> = Extract<M, { readonly frame: N }>;
