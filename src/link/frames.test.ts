import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame } from '../base/testing/same.ts';
import { ByteWriter } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { encode, struct } from '../base/schema.ts';
import { SeededRandom } from '../base/virtual.ts';
import { renderProtocol } from './docs.ts';
import type { Frame } from './frames.ts';
import {
  decodeFrame,
  decodeHeader,
  encodeFrame,
  FRAME_GROUPS,
  FRAMES,
  HEADER,
  HEADER_BYTES,
  isSessionFrame,
  stamp,
} from './frames.ts';
import { FrameParser } from './parser.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

const SOME_FRAMES: readonly Frame[] = [
  { frame: 'ack' },
  { frame: 'ping', time: 12.5 },
  { frame: 'goodbye', reason: 'stopping' },
  { frame: 'announce', address: 'host:1' },
  {
    frame: 'members',
    version: 3n,
    founder: nodeId(1),
    members: [
      { node: nodeId(1), name: 'a', address: 'a:1', fingerprint: new Uint8Array(32), boot: 5n, state: 'up' },
      { node: nodeId(2), name: 'b', address: '', fingerprint: Uint8Array.of(1, 2, 3), boot: 6n, state: 'left' },
    ],
  },
  {
    frame: 'join',
    protocolMin: 1,
    protocolMax: 2,
    build: 'x',
    capabilities: ['engine-1'],
    required: [],
    token: new Uint8Array(8),
    secret: new Uint8Array(32),
    name: 'name',
    address: 'host:1',
    publicKey: Uint8Array.from({ length: 8000 }, (_, i) => i),
  },
];

function bytesOf(frame: Frame, byReference = false): Uint8Array {
  const { parts, bytes } = encodeFrame(frame, byReference);
  const all = new ByteWriter();
  for (const part of parts) all.raw(part);
  assert.equal(all.length, bytes);
  return all.done();
}

/** Feeds a stream to a parser in the given slices. */
function parse(stream: Uint8Array, cuts: readonly number[], limit: number = LIMITS.frameBytes): Frame[] {
  const frames: Frame[] = [];
  const parser = new FrameParser(limit);
  let at = 0;
  for (const cut of [...cuts, stream.length]) {
    const end = Math.max(at, Math.min(cut, stream.length));
    parser.push(stream.slice(at, end), (frame) => frames.push(frame) > 0);
    at = end;
  }
  return frames;
}

function joined(frames: readonly Frame[]): Uint8Array {
  const all = new ByteWriter();
  for (const frame of frames) all.raw(bytesOf(frame));
  return all.done();
}

test('the header has the documented size', () => {
  const header = encode(struct(HEADER), { length: 1, type: 2, sequence: 3, acknowledged: 4 });
  assert.equal(header.length, HEADER_BYTES);
  const frame = encodeFrame({ frame: 'ack' });
  stamp(frame, 0x0102_0304, 0x0506_0708);
  assert.deepEqual(decodeHeader(frame.parts[0] ?? new Uint8Array(), 0, 0), {
    length: 0,
    type: FRAMES.ack.type,
    sequence: 0x0102_0304,
    acknowledged: 0x0506_0708,
    transient: false,
    prompt: false,
  });
});

test('names and numbers of frames are unique and in the range of their group', () => {
  for (const { from, to, frames } of FRAME_GROUPS) {
    for (const [name, { type, fields }] of Object.entries(frames)) {
      assert(type >= from && type <= to, `${name} is out of its range`);
      assert(!('frame' in fields), `${name} has a field that is called like the name of the frame`);
    }
  }
  // A name or a number that is given twice hides another one.
  const names = FRAME_GROUPS.flatMap(({ frames }) => Object.keys(frames));
  const types = FRAME_GROUPS.flatMap(({ frames }) => Object.values(frames).map(({ type }) => type));
  assert.deepEqual(names.toSorted(), Object.keys(FRAMES).toSorted());
  assert.equal(new Set(types).size, types.length);
});

test('frames survive encoding, copied or by reference', () => {
  for (const frame of SOME_FRAMES) {
    assertSame(parse(bytesOf(frame), []), [frame], frame.frame);
    assertSame(bytesOf(frame, true), bytesOf(frame), frame.frame);
  }
  const join = SOME_FRAMES.at(-1);
  assert(join?.frame === 'join');
  assert.ok(encodeFrame(join, true).parts[1] === join.publicKey, 'the large byte string is not copied');
});

test('frames come out however the stream is cut', () => {
  const stream = joined(SOME_FRAMES);
  const everyByte = Array.from(stream, (_, i) => i);
  assertSame(parse(stream, everyByte), SOME_FRAMES, 'frames');
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      assertSame(
        parse(
          stream,
          cuts.toSorted((a, b) => a - b),
        ),
        SOME_FRAMES,
        'frames',
      );
    }),
    fuzzed(100),
  );
});

test('any bytes are frames or a protocol error', () => {
  const random = new SeededRandom(1);
  const stream = joined(SOME_FRAMES);
  for (let i = 0; i < 3000; i++) {
    const damaged = stream.slice();
    for (let k = random.below(4); k >= 0; k--) damaged[random.below(damaged.length)] = random.below(256);
    try {
      parse(damaged, [random.below(stream.length)]);
    } catch (error) {
      assert(error instanceof GodwitError && error.code === 'protocol', `seed 1, ${i}: ${String(error)}`);
    }
  }
});

test('rubbish is seen in the first header', () => {
  const http = new TextEncoder().encode('GET / HTTP/1.1\r\n');
  assert.throws(() => parse(http, []), { code: 'protocol', message: /0x202f is no frame type/ });
  const long = bytesOf({ frame: 'goodbye', reason: 'x'.repeat(100) }).subarray(0, HEADER_BYTES);
  assert.throws(() => parse(long, [], 99), { code: 'protocol', message: 'a frame of 104 bytes where 99 are allowed' });
});

test('the sink can stop the parser', () => {
  const seen: string[] = [];
  const parser = new FrameParser(LIMITS.frameBytes);
  parser.push(joined(SOME_FRAMES), (frame) => seen.push(frame.frame) < 2);
  assert.deepEqual(seen, ['ack', 'ping']);
});

test('a body with bytes left over, and an unknown type, are refused', () => {
  assert.throws(() => decodeFrame(FRAMES.ack.type, Uint8Array.of(1)), { code: 'protocol', message: /frame ack/ });
  assert.throws(() => decodeFrame(0xffff, new Uint8Array()), { code: 'protocol' });
});

test('a byte string over its limit is not sent', () => {
  const join = SOME_FRAMES.at(-1);
  assert(join?.frame === 'join');
  for (const byReference of [false, true]) {
    assert.throws(() => encodeFrame({ ...join, publicKey: new Uint8Array(9000) }, byReference), { code: 'protocol' });
  }
});

test('only frames of the session are session frames', () => {
  assert.deepEqual(SOME_FRAMES.map(isSessionFrame), [true, true, true, false, false, false]);
});

test('the document names every frame', () => {
  const text = renderProtocol();
  for (const [name, { type }] of Object.entries(FRAMES)) {
    assert(text.includes(`### 0x${type.toString(16).padStart(2, '0')} ${name}\n`), `${name} is missing`);
  }
});
