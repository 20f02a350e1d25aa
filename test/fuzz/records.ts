/** What reads records of peers, clients and files: images, frames, messages, states, tokens. */
import assert from 'node:assert/strict';
import { assertSame } from '../../src/base/testing/same.ts';
import { decodeRequest, encodeRequest } from '../../src/abi/marshal.ts';
import { CALL_NAMES as SYSTEM_CALLS } from '../../src/abi/preview1.ts';
import { parseSignal } from '../../src/abi/signals.ts';
import {
  CALLS,
  CALL_NAMES,
  FrameReader,
  TO_CLIENT,
  TO_DAEMON,
  decodeToClient,
  decodeToDaemon,
  encodeToClient,
  encodeToDaemon,
} from '../../src/admin/protocol.ts';
import { ByteReader } from '../../src/base/bytes.ts';
import { GodwitError } from '../../src/base/errors.ts';
import { FIRST_SEAT, callNumber } from '../../src/base/ids.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { type Codec, decode, encode, list, struct } from '../../src/base/schema.ts';
import { decodeFacts, encodeFacts } from '../../src/capture/layout/facts.ts';
import { CHECKSUM_BYTES, DIGEST_BYTES, type ImageHasher } from '../../src/capture/image/image.ts';
import { ImageReader } from '../../src/capture/image/image-reader.ts';
import { ImageWriter } from '../../src/capture/image/image-writer.ts';
import { type MachineState, decodeState, encodeState } from '../../src/capture/running/state.ts';
import { parsePid } from '../../src/cli/arguments.ts';
import { parseInterval } from '../../src/cli/format.ts';
import { checkNodeName } from '../../src/cluster/members.ts';
import { STATE } from '../../src/cluster/store.ts';
import { parseToken } from '../../src/cluster/tokens.ts';
import { parseAddress } from '../../src/link/address.ts';
import { FRAMES, HEADER, HEADER_BYTES, decodeFrame, encodeFrame } from '../../src/link/frames.ts';
import { FrameParser } from '../../src/link/parser.ts';
import { joinToken, nodeInfo, processEnd, processInfo } from '../../src/node/cluster/codecs.ts';
import { decodeRest, encodeRest } from '../../src/node/guests/guest-baggage.ts';
import type { Target } from './fuzz.ts';
import { mutateBytes } from './mutate.ts';
import { isTaken } from './taken.ts';

const WASM_PAGE = 65_536;
/** Pages that a node has reserved for the image that it reads: it has no room for others. */
const RESERVED_PAGES = 16;

/** Digests that are never wrong: behind them everything is looked at that an attacker could have digested rightly. */
const trusting: ImageHasher = {
  checksum: () => new Uint8Array(CHECKSUM_BYTES),
  digest: () => ({ update() {}, final: () => new Uint8Array(DIGEST_BYTES) }),
};

const machineState: MachineState = {
  root: { type: 'export', name: '_start' },
  frames: Uint8Array.from({ length: 40 }, (_, i) => i),
  globals: new Uint8Array(16),
  references: Int32Array.of(3, 0),
  exceptions: [Uint8Array.of(1, 2), null],
  tables: [{ table: 0, entries: Int32Array.of(1, -1, 2) }],
  hostReference: false,
};

function imageSeed(): Uint8Array {
  const rest = encodeRest({
    threads: [
      { seat: FIRST_SEAT, id: 0, argument: 0, cpuNanos: 5n, state: machineState, parked: null },
      { seat: 1 as typeof FIRST_SEAT, id: 7, argument: 9, cpuNanos: 1n, state: null, parked: { state: 'woken' } },
    ],
    baggage: {
      args: [Buffer.from('prog')],
      env: [Buffer.from('A=1')],
      monotonic: 12n,
      cpuNanos: 6n,
      nextCalls: [callNumber(4), callNumber(1)],
      nextThreadId: 8,
    },
  });
  const memory = new Uint8Array(2 * WASM_PAGE);
  memory.fill(7, 4096, 8192);
  const source = { moduleHash: new Uint8Array(32), memories: [{ bytes: memory, maximumPages: 4 }], ...rest };
  const writer = new ImageWriter(source, trusting);
  const pieces: Uint8Array[] = [];
  for (let piece = writer.next(1000); piece !== null; piece = writer.next(1000)) pieces.push(Uint8Array.from(piece));
  return new Uint8Array(Buffer.concat(pieces));
}

function readImage(input: Uint8Array): void {
  const reader = new ImageReader(trusting, ({ memories }) => {
    const pages = memories.reduce((sum, memory) => sum + memory.pages, 0);
    if (pages > RESERVED_PAGES) throw new GodwitError('limit', 'more pages than were reserved');
    return memories.map((memory) => new Uint8Array(memory.pages * WASM_PAGE));
  });
  // In pieces, so that records end within some and at the end of others.
  for (let at = 0; at < input.length; at += 700) reader.push(input.subarray(at, at + 700));
  const { threads, kernel } = reader.finish();
  const rest = decodeRest({ threads, kernel });
  assertSame(decodeRest(encodeRest(rest)), rest, 'the rest');
}

const imageTarget: Target = {
  name: 'image',
  slowness: 1,
  seeds: () => [imageSeed()],
  mutate: mutateBytes,
  read: readImage,
  steps: { base: 5000, byte: 20 },
  memory: { base: 8 * 2 ** 20, byte: 1000 },
};

const stateTarget: Target = {
  name: 'machine state',
  slowness: 1,
  seeds: () => [encodeState(machineState), encodeState({ ...machineState, root: { type: 'start' }, tables: [] })],
  mutate: mutateBytes,
  read(input) {
    const state = decodeState(input);
    assertSame(decodeState(encodeState(state)), state, 'the state');
  },
  steps: { base: 1000, byte: 30 },
  memory: { base: 2 * 2 ** 20, byte: 1000 },
};

const factsTarget: Target = {
  name: 'facts of a rewritten module',
  slowness: 1,
  seeds: () => [
    encodeFacts({
      originalBytes: 100,
      capturable: Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1, 1),
      capturableTypes: Uint8Array.of(1, 0),
      entryPolls: Uint8Array.of(1),
      changedTables: Uint8Array.of(0, 1),
      exceptions: true,
      segmentUses: [],
      waitUses: [],
      bulkUses: [{ kind: 'memory.copy', memory: 0, source: 1 }],
      bulkPiece: 1 << 18,
      saveHelpers: [],
    }),
  ],
  mutate: mutateBytes,
  read: decodeFacts,
  steps: { base: 1000, byte: 30 },
  memory: { base: 2 * 2 ** 20, byte: 1000 },
};

/** Zeros are the simplest value of most records: numbers, nothing, empty lists. @returns those that `read` takes */
function zeros(read: (input: Uint8Array) => void, most = 160): Uint8Array[] {
  const lengths = Array.from({ length: most }, (_, length) => new Uint8Array(length));
  return lengths.filter((input) => isTaken(read, input));
}

function frameSeeds(): Uint8Array[] {
  return Object.values(FRAMES).flatMap(({ type }) =>
    zeros((body) => decodeFrame(type, body)).map(
      (body) =>
        new Uint8Array(
          Buffer.concat([encode(struct(HEADER), { length: body.length, type, sequence: 1, acknowledged: 0 }), body]),
        ),
    ),
  );
}

const frameTarget: Target = {
  name: 'frames of a link',
  slowness: 1,
  seeds: frameSeeds,
  mutate: mutateBytes,
  read(input) {
    const parser = new FrameParser(LIMITS.frameBytes);
    for (let at = 0; at < input.length; at += 100) {
      parser.push(input.slice(at, at + 100), (frame) => {
        const { parts } = encodeFrame(frame);
        const body = Buffer.concat(parts).subarray(HEADER_BYTES);
        assertSame(decodeFrame(FRAMES[frame.frame].type, new Uint8Array(body)), frame, 'the frame');
        return true;
      });
    }
  },
  steps: { base: 5000, byte: 60 },
  // A header may announce a frame of this size, for which there is room before it has come.
  memory: { base: 4 * 2 ** 20 + LIMITS.frameBytes, byte: 2000 },
};

/** The kind, then its fields. */
function controlSeeds(table: object, read: (input: Uint8Array) => void): Uint8Array[] {
  return Object.keys(table).flatMap((_, kind) => {
    const withKind = (fields: Uint8Array): Uint8Array => Uint8Array.of(kind, ...fields);
    return zeros((fields) => read(withKind(fields))).map(withKind);
  });
}

/** A length before each, as the socket has them. */
const framed = (payload: Uint8Array): Uint8Array => {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, payload.length, true);
  return Uint8Array.of(...length, ...payload);
};

const controlTarget = (name: string, table: object, read: (payload: Uint8Array) => void): Target => ({
  name: `control messages ${name}`,
  slowness: 1,
  seeds: () => controlSeeds(table, read).map(framed),
  mutate: mutateBytes,
  read(input) {
    const frames = new FrameReader();
    for (let at = 0; at < input.length; at += 100) {
      for (const payload of frames.push(input.slice(at, at + 100))) read(payload);
    }
  },
  steps: { base: 5000, byte: 60 },
  memory: { base: 4 * 2 ** 20, byte: 2000 },
});

const toDaemon = (payload: Uint8Array): void => {
  const message = decodeToDaemon(payload);
  assertSame(decodeToDaemon(new Uint8Array(encodeToDaemon(message).subarray(4))), message, 'the message');
};
const toClient = (payload: Uint8Array): void => {
  const message = decodeToClient(payload);
  assertSame(decodeToClient(new Uint8Array(encodeToClient(message).subarray(4))), message, 'the message');
};

/** Records that are bodies of others, by a number in front. */
const BODIES: readonly Codec<unknown>[] = [
  ...CALL_NAMES.flatMap((name): Codec<unknown>[] => [CALLS[name].args, CALLS[name].result] as Codec<unknown>[]),
  ...([list(processInfo), list(nodeInfo), processEnd, joinToken, ...Object.values(STATE)] as Codec<unknown>[]),
];

function readBody(input: Uint8Array): void {
  const codec = BODIES[input[0] ?? BODIES.length];
  if (codec === undefined) throw new GodwitError('protocol', 'no such record');
  const value = decode(codec, new ByteReader(input.slice(1)));
  assertSame(decode(codec, new ByteReader(encode(codec, value))), value, 'the value');
}

const bodyTarget: Target = {
  name: 'calls, questions and kept state',
  slowness: 1,
  seeds: () => controlSeeds(BODIES, readBody),
  mutate: mutateBytes,
  read: readBody,
  steps: { base: 5000, byte: 60 },
  memory: { base: 4 * 2 ** 20, byte: 2000 },
};

function readRequest(input: Uint8Array): void {
  const { name, args } = decodeRequest(input);
  const again = decodeRequest(encodeRequest(name, args));
  assert.equal(again.name, name);
}

const homeCallTarget: Target = {
  name: 'home calls',
  slowness: 1,
  seeds: () => controlSeeds(SYSTEM_CALLS, readRequest),
  mutate: mutateBytes,
  read: readRequest,
  steps: { base: 20_000, byte: 60 },
  // The room for what is to be read.
  memory: { base: 8 * 2 ** 20 + LIMITS.homeCallBytes, byte: 2000 },
};

const TEXTS = ['127.0.0.1:7370', '[::1]:80', 'node-1', '65537', 'SIGTERM', '20ms', 'gdw1.VoPaL8dnjDSh3elyCcOc-6P577la'];

const textTarget: Target = {
  name: 'words of users',
  slowness: 1,
  seeds: () => TEXTS.map((text) => new Uint8Array(Buffer.from(text))),
  mutate: mutateBytes,
  read(input) {
    const text = Buffer.from(input).toString();
    for (const parse of [parseAddress, parseToken, checkNodeName, parsePid, parseInterval, parseSignal]) {
      try {
        parse(text);
      } catch (error) {
        if (!(error instanceof GodwitError)) throw error;
      }
    }
  },
  steps: { base: 2000, byte: 20 },
  memory: { base: 2 * 2 ** 20, byte: 1000 },
};

export const RECORD_TARGETS: readonly Target[] = [
  imageTarget,
  stateTarget,
  factsTarget,
  frameTarget,
  controlTarget('to the daemon', TO_DAEMON, toDaemon),
  controlTarget('to the client', TO_CLIENT, toClient),
  bodyTarget,
  homeCallTarget,
  textTarget,
];
