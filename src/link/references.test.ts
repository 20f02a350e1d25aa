import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import { encodeFrame } from './frames.ts';
import { References } from './references.ts';
import { Session } from './session.ts';

const PAYLOAD = 8192;

/** A session that sends so many frames with parts of the memory. */
function sending(references: References, memory: SharedArrayBuffer, frames: number): Session {
  const session = new Session(references);
  session.begin(1n, true);
  for (let i = 0; i < frames; i++) {
    const payload = new Uint8Array(memory, 0, PAYLOAD);
    const chunk = { frame: 'module_chunk', module: new Uint8Array(32), total: 1n, offset: 0n, payload } as const;
    session.push(encodeFrame(chunk, true));
    session.next();
  }
  return session;
}

test('memory is free when the last frame with a part of it is acknowledged, in all sessions', () => {
  assert.ok(PAYLOAD < LIMITS.imageChunkBytes);
  const references = new References();
  const [one, two, other] = [1, 2, 3].map(() => new SharedArrayBuffer(PAYLOAD));
  const told: string[] = [];
  references.whenAcknowledged(new Set([one!]), () => told.push('never sent'));
  const first = sending(references, one!, 3);
  const second = sending(references, one!, 1);
  sending(references, two!, 1).acknowledged(2);
  sending(references, other!, 1);
  references.whenAcknowledged(new Set([one!, two!]), () => told.push('both'));
  references.whenAcknowledged(new Set([two!]), () => told.push('two'));
  first.acknowledged(3);
  second.acknowledged(2);
  assert.deepEqual(told, ['never sent', 'two']);
  first.acknowledged(4);
  assert.deepEqual(told, ['never sent', 'two', 'both']);
});

test('who waits for memory of a lost session and of another one is never told', () => {
  const references = new References();
  const [one, two, other] = [1, 2, 3].map(() => new SharedArrayBuffer(PAYLOAD));
  const told: string[] = [];
  const first = sending(references, one!, 1);
  const second = sending(references, two!, 1);
  const third = sending(references, other!, 1);
  references.whenAcknowledged(new Set([one!, two!]), () => told.push('both'));
  second.acknowledged(2);
  first.reset();
  third.acknowledged(2);
  assert.deepEqual(told, []);
});

test('with a session that is lost it is never known to be free', () => {
  const references = new References();
  const memory = new SharedArrayBuffer(PAYLOAD);
  const told: string[] = [];
  const session = sending(references, memory, 2);
  references.whenAcknowledged(new Set([memory]), () => told.push('before'));
  session.acknowledged(2);
  session.reset();
  references.whenAcknowledged(new Set([memory]), () => told.push('behind'));
  assert.deepEqual(told, []);
});

/** Notes what it is told of. */
class Noted extends References {
  readonly told: [string, ArrayBufferLike][] = [];

  override acknowledged(memory: ArrayBufferLike): void {
    this.told.push(['acknowledged', memory]);
  }

  override lost(memory: ArrayBufferLike): void {
    this.told.push(['lost', memory]);
  }
}

test('with each frame that was lost in a session its memory is let go', () => {
  const references = new Noted();
  const memory = new SharedArrayBuffer(PAYLOAD);
  const session = sending(references, memory, 3);
  session.push(encodeFrame({ frame: 'announce', address: 'without memory' }));
  session.acknowledged(2);
  session.reset();
  assert.deepEqual(
    references.told.map(([what]) => what),
    ['acknowledged', 'lost', 'lost'],
  );
  assert.ok(references.told.every(([, what]) => what === memory));
});
