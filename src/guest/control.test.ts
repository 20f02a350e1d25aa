/** Run as a test this file starts itself as the guest's thread; the test is the main thread. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { callIndex } from '../abi/preview1.ts';
import { Attention, ControlBlock, SPAWN } from './control.ts';

interface Work {
  readonly control: WebAssembly.Memory;
  readonly task: 'calls' | 'holds' | 'spawns';
}

/** What the thread does: calls until one is interrupted, saying each answer; starts a thread; or waits while it is stopped. */
function thread({ control, task }: Work): void {
  const block = new ControlBlock(control);
  if (task === 'holds') {
    block.holdWhileStopped();
    parentPort?.postMessage(block.attention);
    return;
  }
  if (task === 'spawns') {
    parentPort?.postMessage(block.call(SPAWN, [-5]));
    return;
  }
  for (let i = 0, errno: number | null = 0; errno !== null; i++) {
    errno = block.call(callIndex('fd_seek'), [i, -(2n ** 63n) + BigInt(i), -1, 4096]);
    parentPort?.postMessage(errno);
  }
}

function start(t: TestContext, task: Work['task'], attention = 0): readonly [ControlBlock, Worker] {
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const block = new ControlBlock(control);
  block.raise(attention);
  const worker = new Worker(new URL(import.meta.url), { workerData: { control, task } satisfies Work });
  t.after(() => worker.terminate());
  return [block, worker];
}

const called = (block: ControlBlock): Promise<void> => new Promise((resolve) => block.whenCalled(resolve));

function tests(): void {
  test('a thread waits for the answer to each call; an interrupted one gives none', { timeout: 60_000 }, async (t) => {
    const [block, worker] = start(t, 'calls');
    // Waited for from here on: a thread that ends at once gives its last message and its end in one turn.
    const ended = once(worker, 'exit');
    for (const i of [0, 1, 2]) {
      await called(block);
      assert.deepEqual(block.pendingCall(), { name: 'fd_seek', args: [i, -(2n ** 63n) + BigInt(i), -1, 4096] });
      const said = once(worker, 'message');
      if (i < 2) block.answer(70 + i);
      else block.interrupt();
      assert.deepEqual(await said, [i < 2 ? 70 + i : null]);
    }
    await ended;
    block.whenCalled(() => assert.fail('a thread that is gone calls nothing'));
    block.release();
    await setImmediate();
  });

  test('a thread that starts another one is told its id', { timeout: 60_000 }, async (t) => {
    const [block, worker] = start(t, 'spawns');
    await called(block);
    assert.deepEqual(block.pendingCall(), { name: 'thread-spawn', args: [-5] });
    const said = once(worker, 'message');
    block.answer(-6);
    assert.deepEqual(await said, [-6]);
  });

  test('a thread that is held goes on only when nothing holds it any more', { timeout: 60_000 }, async (t) => {
    const [block, worker] = start(t, 'holds', Attention.hold | Attention.stop);
    await once(worker, 'online');
    const said = once(worker, 'message');
    block.lower(Attention.hold);
    block.raise(Attention.hold);
    block.lower(Attention.stop);
    block.lower(Attention.hold);
    assert.deepEqual(await said, [0]);
  });

  test('a stopped thread goes on when it is continued', { timeout: 60_000 }, async (t) => {
    const [block, worker] = start(t, 'holds', Attention.stop);
    await once(worker, 'online');
    const said = once(worker, 'message');
    block.lower(Attention.stop);
    assert.deepEqual(await said, [0]);
  });

  test('a stopped thread leaves its sleep for a capture', { timeout: 60_000 }, async (t) => {
    const [block, worker] = start(t, 'holds', Attention.stop);
    await once(worker, 'online');
    const said = once(worker, 'message');
    block.raise(Attention.capture);
    assert.deepEqual(await said, [Attention.stop | Attention.capture]);
  });

  test('the version of the descriptor table counts changes', () => {
    const block = new ControlBlock(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
    assert.equal(block.tableVersion, 0);
    block.raiseTableVersion();
    block.raiseTableVersion();
    assert.equal(block.tableVersion, 2);
  });
}

const work = workerData as Partial<Work> | null;
if (!isMainThread && work?.control !== undefined && work.task !== undefined)
  thread({ control: work.control, task: work.task });
else tests();
