/**
 * The one table of everything that is said between nodes, and its encoding. The TypeScript types, the encoder, the
 * decoder with its checks and docs/PROTOCOL.md come from the table; a new frame is one entry in one of the files
 * under frames/.
 *
 * A frame is a header of {@link HEADER_BYTES} bytes, then its fields in the order of the table:
 *
 *     length u32 | type u16 | sequence u32 | acknowledged u32     (little-endian, without padding)
 */
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, setU32, u16At, u32At } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { BytesCodec, Codec, Struct } from '../base/schema.ts';
import { constant, decode, struct, u16, u32 } from '../base/schema.ts';
import { CLUSTER_FRAMES } from './frames/cluster.ts';
import { MIGRATION_FRAMES } from './frames/migration.ts';
import { NODE_FRAMES } from './frames/node.ts';
import { PROCESS_FRAMES } from './frames/process.ts';
import { SESSION_FRAMES } from './frames/session.ts';
import type { FrameGroup, FrameSpec } from './frames/table.ts';

/** A new group goes here and into {@link FRAMES}. Numbers lie between `from` and `to`. */
export const FRAME_GROUPS: readonly FrameGroup[] = [
  { title: 'Session', from: 0x01, to: 0x1f, frames: SESSION_FRAMES },
  { title: 'Cluster', from: 0x20, to: 0x3f, frames: CLUSTER_FRAMES },
  { title: 'Processes and their homes', from: 0x40, to: 0x5f, frames: PROCESS_FRAMES },
  { title: 'Moves', from: 0x60, to: 0x7f, frames: MIGRATION_FRAMES },
  { title: 'Questions between nodes', from: 0x80, to: 0x8f, frames: NODE_FRAMES },
];

export const FRAMES = {
  ...SESSION_FRAMES,
  ...CLUSTER_FRAMES,
  ...PROCESS_FRAMES,
  ...MIGRATION_FRAMES,
  ...NODE_FRAMES,
} as const;

export type FrameName = keyof typeof FRAMES;
/** One frame: `frame` is its name in the table, the rest are its fields. */
export type FrameOf<N extends FrameName> = { readonly frame: N } & Struct<(typeof FRAMES)[N]['fields']>;
export type Frame = { [N in FrameName]: FrameOf<N> }[FrameName];

/** Frames that belong to one connection: neither numbered nor replayed. */
export type SessionFrame = Extract<Frame, { readonly frame: keyof typeof SESSION_FRAMES }>;
/** Frames of the layers above: numbered, acknowledged, replayed, delivered once and in order. */
export type PeerFrame = Exclude<Frame, SessionFrame>;

export function isSessionFrame(frame: Frame): frame is SessionFrame {
  return frame.frame in SESSION_FRAMES;
}

/** The header's fields in their order on the wire. */
export const HEADER = { length: u32, type: u16, sequence: u32, acknowledged: u32 } as const;
/** Length u32, type u16, sequence u32, acknowledged u32; a test compares it with {@link HEADER}. */
export const HEADER_BYTES = 14;
const TYPE_AT = 4;
const SEQUENCE_AT = 6;
const ACKNOWLEDGED_AT = 10;

/** Byte strings up to this size are copied even where they may be sent by reference: a copy costs less than a second write. */
const COPY_BYTES = 4096;

export interface FrameHeader {
  /** Bytes of the fields behind the header. */
  readonly length: number;
  readonly type: number;
  readonly sequence: number;
  readonly acknowledged: number;
  /** See {@link FrameSpec} for both. */
  readonly transient: boolean;
  readonly prompt: boolean;
}

interface FrameCodec {
  readonly name: FrameName;
  readonly spec: FrameSpec;
  readonly body: Codec<Readonly<Record<string, unknown>>>;
  /** All fields but a byte string at the end, and that one: what can be sent without copying it. */
  readonly split: {
    readonly front: Codec<Readonly<Record<string, unknown>>>;
    readonly name: string;
    readonly limit: number;
  } | null;
}

function frameCodec(name: FrameName, spec: FrameSpec): FrameCodec {
  // The table's types guarantee that every field is a codec; Frame above is inferred from exactly these fields.
  const fields = spec.fields as Readonly<Record<string, Codec<unknown>>>;
  const last = Object.entries(fields).at(-1);
  const tail = last && isBytesCodec(last[1]) ? last : undefined;
  return {
    name,
    spec,
    body: struct({ frame: constant(name), ...fields }),
    split: tail
      ? {
          front: struct(Object.fromEntries(Object.entries(fields).slice(0, -1))),
          name: tail[0],
          limit: (tail[1] as BytesCodec).limit,
        }
      : null,
  };
}

function isBytesCodec(codec: Codec<unknown>): boolean {
  return 'limit' in codec;
}

const BY_NAME = new Map<string, FrameCodec>();
const BY_TYPE = new Map<number, FrameCodec>();
for (const { frames } of FRAME_GROUPS) {
  for (const [name, spec] of Object.entries(frames) as [FrameName, FrameSpec][]) {
    assert(!BY_NAME.has(name) && !BY_TYPE.has(spec.type), `frame ${name} or its number is in the tables twice`);
    const codec = frameCodec(name, spec);
    BY_NAME.set(name, codec);
    BY_TYPE.set(spec.type, codec);
  }
}

/** An encoded frame: one piece, or two if the last byte string is sent by reference. */
export interface EncodedFrame {
  readonly parts: readonly Uint8Array[];
  /** Of all parts together. */
  readonly bytes: number;
}

/**
 * The bytes of a frame. Sequence and acknowledgement are filled in when it is sent ({@link stamp}).
 * @param byReference the frame's last byte string, if it is a large one, becomes the second part without being
 *   copied; it must stay unchanged until the frame has been acknowledged
 * @throws GodwitError('protocol') if a field or the frame is over its limit
 */
export function encodeFrame(frame: Frame, byReference = false): EncodedFrame {
  const codec = BY_NAME.get(frame.frame);
  assert(codec, `not a frame: ${frame.frame}`);
  // Its codec reads just the fields that the frame's type has.
  const values: Readonly<Record<string, unknown>> = frame;
  const writer = new ByteWriter(128);
  writer.u32(0);
  writer.u16(codec.spec.type);
  writer.u32(0);
  writer.u32(0);
  const { split } = codec;
  const tail = split && byReference ? (values[split.name] as Uint8Array) : null;
  const payload = tail && tail.length > COPY_BYTES ? tail : null;
  if (split && payload) {
    if (payload.length > split.limit) {
      throw new GodwitError('protocol', `${payload.length} bytes where ${split.limit} are allowed`);
    }
    split.front.write(writer, values);
    writer.u32(payload.length);
  } else {
    codec.body.write(writer, values);
  }
  const head = writer.done();
  const bytes = head.length + (payload?.length ?? 0);
  if (bytes - HEADER_BYTES > LIMITS.frameBytes) {
    throw new GodwitError('protocol', `a frame ${frame.frame} of ${bytes} bytes is over ${LIMITS.frameBytes}`);
  }
  setU32(head, 0, bytes - HEADER_BYTES);
  return { parts: payload ? [head, payload] : [head], bytes };
}

/** Writes sequence and acknowledgement into an encoded frame, each time that it is sent. */
export function stamp(frame: EncodedFrame, sequence: number, acknowledged: number): void {
  const head = frame.parts[0];
  assert(head, 'an encoded frame has a head');
  setU32(head, SEQUENCE_AT, sequence);
  setU32(head, ACKNOWLEDGED_AT, acknowledged);
}

/**
 * @param at where the header's {@link HEADER_BYTES} bytes begin
 * @throws GodwitError('protocol') if the type is unknown or the length over `limit`: rubbish is seen in its first 14 bytes
 */
export function decodeHeader(bytes: Uint8Array, at: number, limit: number): FrameHeader {
  const length = u32At(bytes, at);
  const type = u16At(bytes, at + TYPE_AT);
  const codec = BY_TYPE.get(type);
  if (!codec) throw new GodwitError('protocol', `0x${type.toString(16)} is no frame type`);
  if (length > limit) {
    throw new GodwitError('protocol', `a frame of ${length} bytes where ${limit} are allowed`);
  }
  return {
    length,
    type,
    sequence: u32At(bytes, at + SEQUENCE_AT),
    acknowledged: u32At(bytes, at + ACKNOWLEDGED_AT),
    transient: codec.spec.transient === true,
    prompt: codec.spec.prompt === true,
  };
}

/** @throws GodwitError('protocol') if the fields are not what the table says. Byte strings are views of `body`. */
export function decodeFrame(type: number, body: Uint8Array): Frame {
  const codec = BY_TYPE.get(type);
  if (!codec) throw new GodwitError('protocol', `0x${type.toString(16)} is no frame type`);
  try {
    // The fields are of the table's entry of that name, which is what Frame is made from.
    return decode(codec.body, new ByteReader(body)) as unknown as Frame;
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    throw new GodwitError(error.code, `frame ${codec.name}: ${error.message}`, { cause: error });
  }
}
