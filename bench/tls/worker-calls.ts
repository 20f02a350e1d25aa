/**
 * What a call from a worker to another process costs at least: the worker hands it to its main thread as a guest does
 * (src/guest/control.ts), that one exchanges a message on the bare connection, and wakes the worker.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TlsPeer } from './peer.ts';

/** The one word of shared memory. */
const CALLING = 1;
const ANSWERED = 0;
const ENDED = 2;

interface Turn {
  readonly calls: number;
}

export class CallingWorker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #word: Int32Array;

  private constructor(worker: Worker, word: Int32Array) {
    this.#worker = worker;
    this.#word = word;
  }

  /** Starts the thread; its calls are answered by exchanges with `peer` of so many bytes each way. */
  static async start(peer: TlsPeer, bytes: number): Promise<CallingWorker> {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL(import.meta.url), { workerData: word });
    await once(worker, 'online');
    const caller = new CallingWorker(worker, word);
    void caller.#serve(peer, bytes);
    return caller;
  }

  /** Makes so many calls. @returns microseconds for each, as the thread sees it */
  async measure(calls: number): Promise<number> {
    const turn: Turn = { calls };
    this.#worker.postMessage(turn);
    const [micros] = (await once(this.#worker, 'message')) as [number];
    return micros;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#word, 0, ENDED);
    Atomics.notify(this.#word, 0);
    await this.#worker.terminate();
  }

  async #serve(peer: TlsPeer, bytes: number): Promise<void> {
    for (;;) {
      const wait = Atomics.waitAsync(this.#word, 0, ANSWERED);
      if (wait.async) await wait.value;
      if (Atomics.load(this.#word, 0) === ENDED) return;
      if (Atomics.load(this.#word, 0) !== CALLING) continue;
      await peer.exchange(bytes, bytes);
      Atomics.store(this.#word, 0, ANSWERED);
      Atomics.notify(this.#word, 0);
    }
  }
}

if (!isMainThread && workerData instanceof Int32Array) callOnRequest(workerData);

function callOnRequest(word: Int32Array): void {
  parentPort?.on('message', ({ calls }: Turn) => {
    const begin = performance.now();
    for (let i = 0; i < calls; i++) {
      Atomics.store(word, 0, CALLING);
      Atomics.notify(word, 0);
      while (Atomics.load(word, 0) === CALLING) Atomics.wait(word, 0, CALLING);
    }
    parentPort?.postMessage(((performance.now() - begin) * 1000) / calls);
  });
}
