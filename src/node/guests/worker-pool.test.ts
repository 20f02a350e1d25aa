import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMemory } from '../../capture/layout/memory.ts';
import { WorkerPool } from './worker-pool.ts';

const memoryOf = (megabytes: number): WebAssembly.Memory =>
  createMemory({ initialPages: megabytes * 16, maximumPages: 65_536, wide: false });

function newPool(t: TestContext): WorkerPool {
  const pool = new WorkerPool();
  t.after(() => pool.close());
  return pool;
}

/** A worker that has had a guest with this memory; nobody has told it anything, so it is as good as any. */
function leave(pool: WorkerPool, memory: WebAssembly.Memory): void {
  pool.giveBack(pool.take('program', [memory]).worker, 'program', [memory]);
}

test('a worker that has run a program is kept for the next guest of it', async (t) => {
  const pool = newPool(t);
  leave(pool, memoryOf(1));
  const other = pool.take('another', []);
  const same = pool.take('program', [memoryOf(1)]);
  assert.deepEqual([other.knows, same.knows], [false, true]);
  for (const { worker } of [other, same]) await worker.terminate();
});

test('one that may hold on to a large memory is only for a guest that gets the same, and not kept for long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pool = newPool(t);
  const large = memoryOf(129);
  leave(pool, large);
  const other = pool.take('program', [memoryOf(129)]);
  const same = pool.take('program', [large]);
  assert.deepEqual([other.knows, same.knows], [false, true]);
  await other.worker.terminate();
  pool.giveBack(same.worker, 'program', [large]);
  const gone = new Promise((resolve) => same.worker.once('exit', resolve));
  t.mock.timers.tick(10_000);
  await gone;
  const late = pool.take('program', [large]);
  assert.equal(late.knows, false);
  await late.worker.terminate();
});
