/** What becomes of memories that nobody has any more. Run as a test this file starts itself as a thread: with a heap of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { createMemory } from '../../capture/layout/memory.ts';
import { MemoryPool } from './memory-pool.ts';

/** So large that V8 is told of each; nobody touches them, so they cost nothing. */
const SIZE = { initialPages: 1100, maximumPages: 4096, wide: false };
const MEMORIES = 3;
/** Left alone V8 has them for ever; told, it needs one or two seconds. */
const TRIES = 600;
const TRY_MS = 50;

const memories = new Map<number, WebAssembly.Memory>();
const collected = new Set<number>();
const registry = new FinalizationRegistry<number>((i) => void collected.add(i));

function make(): void {
  for (let i = 0; i < MEMORIES; i++) {
    const memory = createMemory(SIZE);
    memories.set(i, memory);
    registry.register(memory, i);
  }
}

function drop(): void {
  const pool = new MemoryPool((_memory, then) => then());
  for (const memory of memories.values()) pool.drop(memory);
  memories.clear();
}

async function dropped(): Promise<void> {
  make();
  drop();
  for (let i = 0; i < TRIES && collected.size < MEMORIES; i++) await sleep(TRY_MS);
  assert.equal(collected.size, MEMORIES, 'memories that V8 has collected');
}

if (!isMainThread && workerData === MEMORIES) await dropped();
else {
  test('memories of guests that have left go back to the system, though nothing else is done', async () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: MEMORIES });
    // Rejects with what the thread throws.
    assert.deepEqual(await once(worker, 'exit'), [0]);
  });
}
