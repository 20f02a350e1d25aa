import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import { makePid, moveId, nodeId } from '../base/ids.ts';
import type { Frame } from './frames.ts';
import { encodeFrame } from './frames.ts';
import { FrameParser } from './parser.ts';

const PID = makePid(nodeId(1), 7);

/** What a parser reads whose connection uses the same memory again for each slice. */
function readReusing(frame: Frame, sliceBytes: number, seen: (frame: Frame) => void): void {
  const bytes = Buffer.concat(encodeFrame(frame).parts);
  const memory = new Uint8Array(sliceBytes);
  const parser = new FrameParser(LIMITS.frameBytes);
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    const slice = memory.subarray(0, bytes.length - at);
    slice.set(bytes.subarray(at, at + slice.length));
    parser.push(slice, (read) => {
      seen(read);
      return true;
    });
  }
  memory.fill(0xee);
}

for (const [how, sliceBytes] of [
  ['at once', 4096],
  ['in pieces', 50],
] as const) {
  // A short copy is made in other ways than a long one.
  for (const length of [30, 3000]) {
    test(`a frame with ${length} bytes that comes ${how} stays what it was when its slices are used again`, () => {
      const body = new Uint8Array(length).fill(0x11);
      const asked = { frame: 'ask', id: 1, what: 'wait', body } as const;
      let read: Frame | null = null;
      readReusing(asked, sliceBytes, (frame) => (read = frame));
      assert.deepEqual(read, asked);
    });
  }

  test(`a frame with memory that comes ${how} is right while it is dealt with`, () => {
    const payload = new Uint8Array(3000).fill(0x11);
    const chunk = { frame: 'image_chunk', pid: PID, move: moveId(1), offset: 0n, payload } as const;
    const read: Frame[] = [];
    readReusing(chunk, sliceBytes, (frame) => {
      assert.deepEqual(frame, chunk);
      read.push(frame);
    });
    assert.equal(read.length, 1);
  });
}
