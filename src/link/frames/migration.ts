/**
 * Frames of a move (docs in migration/home.ts, which has the table of what happens when). H is the home node, S the
 * node where the process is, D where it goes. Types 0x60 to 0x7f.
 */
import { LIMITS } from '../../base/limits.ts';
import { bool, bytes, list, optional, str, struct, u32, u64, within } from '../../base/schema.ts';
import {
  durationField,
  incarnationField,
  memoryField,
  moveField,
  nodeField,
  pidField,
  threadsField,
  usage,
} from './process.ts';
import type { MessageOf } from './process.ts';
import type { FrameTable } from './table.ts';

/** Bytes of a SHA-256 value. */
const HASH_BYTES = 32;
const hash = bytes(HASH_BYTES);

/** What a destination must know to accept a process. */
export const processSpec = struct({
  /** SHA-256 of the module as the user gave it: the name by which it is fetched and cached. */
  module: hash,
  moduleBytes: within(u64, 0n, BigInt(LIMITS.moduleBytes)),
  /** Version of the rewriting engine and of the image format; both must be the same on both sides. */
  engine: str,
  memoryBytes: memoryField,
  /** For so many threads workers are prepared; the image may have more. */
  threads: threadsField,
  /** Names of the WebAssembly features that the module uses. */
  features: list(str, LIMITS.namesInMessage),
});

export const MIGRATION_FRAMES = {
  request: {
    type: 0x60,
    doc: 'Any node to H: move this process. Answered by `answer` with the same ticket.',
    fields: { ticket: u32, pid: pidField, target: nodeField },
  },
  answer: {
    type: 0x61,
    doc: 'H to the node that asked: the move is done (`code` null), or why not (a code of base/errors.ts).',
    fields: {
      ticket: u32,
      code: optional(str),
      reason: str,
      stats: optional(struct({ freezeMs: durationField, totalMs: durationField, imageBytes: u64 })),
    },
  },
  prepare: {
    type: 0x62,
    doc: 'H to D: make room for this process, which is at `source` now.',
    fields: { pid: pidField, move: moveField, incarnation: incarnationField, source: nodeField, spec: processSpec },
  },
  reserved: {
    type: 0x63,
    doc: 'D to H: there is room; module compiled, memory and worker reserved.',
    fields: { pid: pidField, move: moveField },
  },
  refused: {
    type: 0x64,
    doc: 'D to H: no, and why.',
    fields: { pid: pidField, move: moveField, reason: str },
  },
  freeze: {
    type: 0x65,
    doc: 'H to S: stop the process and send its image to `destination`. Keep it frozen until `go_on` or `free`.',
    fields: { pid: pidField, move: moveField, incarnation: incarnationField, destination: nodeField },
  },
  cannot: {
    type: 0x66,
    doc: 'S to H: it cannot be stopped for a move now, for these reasons (names of stay reasons); it runs on.',
    fields: { pid: pidField, move: moveField, reasons: list(str, LIMITS.namesInMessage) },
  },
  image_start: {
    type: 0x67,
    doc: 'S to D: an image of so many bytes follows. `waitedMs`: from the order to stop to the stop itself. `usage`: at S, for H.',
    fields: { pid: pidField, move: moveField, bytes: u64, waitedMs: durationField, usage },
  },
  image_chunk: {
    type: 0x68,
    doc: 'S to D, bulk: the next piece of the image, without gap or overlap.',
    fields: { pid: pidField, move: moveField, offset: u64, payload: bytes(LIMITS.imageChunkBytes) },
    transient: true,
  },
  image_end: {
    type: 0x69,
    doc: 'S to D: that was all; SHA-256 of the image.',
    fields: { pid: pidField, move: moveField, digest: hash },
    prompt: true,
  },
  ready: {
    type: 0x6a,
    doc: 'D to H: the whole image is here, its digest is right, the guest can start. The rest is what S has said.',
    fields: { pid: pidField, move: moveField, bytes: u64, waitedMs: durationField, usage },
  },
  failed: {
    type: 0x6b,
    doc: 'S or D to H: the transfer broke off. D has given up its reservation; S is frozen until `go_on`.',
    fields: { pid: pidField, move: moveField, reason: str },
  },
  commit: {
    type: 0x6c,
    doc: 'H to D: the process lives with you from now on, in this incarnation. Start it. `frozenMs`: how long it has stood still.',
    fields: {
      pid: pidField,
      move: moveField,
      incarnation: incarnationField,
      stopped: bool,
      frozenMs: durationField,
    },
  },
  running: {
    type: 0x6d,
    doc: 'D to H: its state is taken up and its code runs. Sent before the guest’s first home call.',
    fields: { pid: pidField, incarnation: incarnationField },
  },
  start_failed: {
    type: 0x6e,
    doc: 'D to H: it could not be taken up, or there is no such reservation any more. Nothing of it has run here.',
    fields: { pid: pidField, incarnation: incarnationField, reason: str },
  },
  go_on: {
    type: 0x6f,
    doc: 'H to S: the move is off; run on, in this incarnation. Also takes back an order to freeze under way.',
    fields: { pid: pidField, move: moveField, incarnation: incarnationField, stopped: bool },
  },
  give_up: {
    type: 0x70,
    doc: 'H to D: drop the reservation of this move or an earlier one of this process.',
    fields: { pid: pidField, move: moveField },
  },
  module_ask: {
    type: 0x78,
    doc: 'D to the node that has the module: send it, from this offset on.',
    fields: { module: hash, offset: u64 },
  },
  module_chunk: {
    type: 0x79,
    doc: 'Bulk: the next piece of a module of `total` bytes; `total` 0: this node does not have it.',
    fields: { module: hash, total: u64, offset: u64, payload: bytes(LIMITS.imageChunkBytes) },
  },
} as const satisfies FrameTable;

export type MigrationMessage = MessageOf<typeof MIGRATION_FRAMES>;
