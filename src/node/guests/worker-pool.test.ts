import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createMemory } from '../../capture/layout/memory.ts';
import { WorkerPool } from './worker-pool.ts';

const memoryOf = (megabytes: number): WebAssembly.Memory =>
  createMemory({ initialPages: megabytes * 16, maximumPages: 65_536, wide: false });

/** A pool, and the workers that the test has taken from it; what is left at its end of both is ended. */
function newPool(t: TestContext) {
  const pool = new WorkerPool();
  const taken: Worker[] = [];
  t.after(() => Promise.all([pool.close(), ...taken.map((worker) => worker.terminate())]));
  /** A worker for a guest of the program with this memory, and whether it knows the program. */
  const take = (program: string, ...memories: WebAssembly.Memory[]) => {
    const one = pool.take(program, memories);
    assert.ok(one.worker, 'the pool gives a worker');
    taken.push(one.worker);
    return one;
  };
  /** A worker that has had a guest with this memory; nobody has told it anything, so it is as good as any. */
  const leave = (memory: WebAssembly.Memory, kept = true): Worker => {
    const { worker } = take('program', memory);
    pool.giveBack(worker, 'program', [memory], kept);
    return worker;
  };
  return { pool, take, leave };
}

/** @returns when the worker has ended */
async function gone(worker: Worker): Promise<void> {
  try {
    await once(worker, 'exit', { signal: AbortSignal.timeout(20_000) });
  } catch (cause) {
    throw new Error('the pool has not ended the worker', { cause });
  }
}

test('a worker that has run a program is kept for the next guest of it', (t) => {
  const { take, leave } = newPool(t);
  leave(memoryOf(1));
  assert.equal(take('another').knows, false);
  assert.equal(take('program', memoryOf(1)).knows, true);
});

test('one that may hold on to a large memory is only for a guest that gets the same, and not kept for long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { pool, take, leave } = newPool(t);
  const large = memoryOf(129);
  leave(large);
  assert.equal(take('program', memoryOf(129)).knows, false);
  const same = take('program', large);
  assert.equal(same.knows, true);
  pool.giveBack(same.worker, 'program', [large], true);
  const end = gone(same.worker);
  t.mock.timers.tick(10_000);
  await end;
  assert.equal(take('program', large).knows, false);
});

test('nor at all if nobody will get the same', async (t) => {
  // Or it would end some time later.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { take, leave } = newPool(t);
  const [small, large] = [memoryOf(1), memoryOf(129)];
  await gone(leave(large, false));
  const kept = leave(small, false);
  assert.equal(take('program', large).worker, kept);
});

test('the reserve is filled when there is a pause, and some time later without one', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let started = 0;
  const count = (): void => void started++;
  process.on('worker', count);
  t.after(() => process.off('worker', count));
  /** Node tells of a new worker a little later. */
  const startedBy = async (milliseconds: number): Promise<number> => {
    t.mock.timers.tick(milliseconds);
    await new Promise(setImmediate);
    return started;
  };
  const { pool, take } = newPool(t);
  assert.equal(await startedBy(0), 1);
  pool.postpone();
  assert.equal(await startedBy(5000), 1);
  take('started');
  assert.equal(await startedBy(99), 1);
  assert.equal(await startedBy(1), 2);
  take('arrived');
  pool.postpone();
  assert.equal(await startedBy(499), 2);
  assert.equal(await startedBy(1), 3);
  take('moving');
  for (let i = 0; i < 4; i++) {
    pool.postpone();
    assert.equal(await startedBy(499), 3);
  }
  pool.postpone();
  assert.equal(await startedBy(4), 4);
  assert.equal(await startedBy(5000), 4);
});
