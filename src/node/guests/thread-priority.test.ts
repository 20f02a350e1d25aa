import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { once } from 'node:events';
import { yieldToNode } from './thread-priority.ts';

if (isMainThread) {
  test('a thread that yields is one step behind the others', { skip: process.platform !== 'linux' }, async () => {
    const before = getPriority();
    const worker = new Worker(new URL(import.meta.url));
    // Both at once: where all processors are busy, they may come together.
    const [[priority]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[number], unknown];
    assert.equal(priority, Math.min(before + 1, 19));
    assert.equal(getPriority(), before);
  });
} else {
  yieldToNode();
  parentPort?.postMessage(getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1))));
}
