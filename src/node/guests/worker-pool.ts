/**
 * Workers for guests. Starting one takes longer than most of what a short program does, so one is always kept in
 * reserve. A worker serves one thread of one process; one whose process has moved on, or whose thread is over, is kept for
 * the next of the same program, which may well be that process coming back.
 */
import type { Worker } from 'node:worker_threads';
import { KEPT_MS, MemoryPool, type WhenAcknowledged } from './memory-pool.ts';
import type { ModuleHash } from '../modules/modules.ts';
import { startWorker } from '../start-worker.ts';

/** Started workers that wait for a guest. */
const SPARE_WORKERS = 1;
/**
 * Workers that are kept for the program that they had: those of a program with a few threads that comes and goes. Each
 * holds what it knows of it, for the largest some 20 MB.
 */
const WARM_WORKERS = 8;
/**
 * Until it next collects garbage, a worker may hold on to the memory of the guest that it had, and while it waits it does
 * not. If that has more bytes than this, it is kept as long as the memory, for a guest that gets the same one.
 */
const HELD_BYTES = 128 * 1024 * 1024;

export interface TakenWorker {
  readonly worker: Worker;
  /** It has run this program before: its setup takes it a millisecond. */
  readonly knows: boolean;
}

interface Warm {
  readonly worker: Worker;
  readonly hash: ModuleHash;
  /** Large ones that it may hold on to. */
  readonly held: readonly WebAssembly.Memory[];
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * Milliseconds until the next one is started in reserve. That takes a processor for 50 ms, which the process that is starting
 * or arriving, frozen at its source, needs more. After a start it is soon: another program may follow. Moves come in rows, and
 * mostly to workers that know the program, so they wait until there is a pause.
 */
const AFTER_START_MS = 100;
const AFTER_MOVE_MS = 500;
/** At the latest so long after the reserve was used: a node that never has a pause gets it back too. */
const REFILL_MS = 2000;

export class WorkerPool {
  readonly memories: MemoryPool;
  readonly #spare: Worker[] = [];
  /** Oldest first. */
  readonly #warm: Warm[] = [];
  #closed = false;
  /** While the reserve is to be filled: after a pause, and at the latest. */
  #pause: NodeJS.Timeout | undefined;
  #latest: NodeJS.Timeout | undefined;

  /** @param whenAcknowledged what has been sent of memories that come back; the default: nothing is ever sent */
  constructor(whenAcknowledged: WhenAcknowledged = (_memory, then) => then()) {
    this.memories = new MemoryPool(whenAcknowledged);
    this.#refill();
  }

  /**
   * A worker that runs guest-worker.ts and waits for its setup. It keeps the daemon alive until it is terminated.
   * @param memories of the guest that it is for
   */
  take(hash: ModuleHash, memories: readonly WebAssembly.Memory[]): TakenWorker {
    const at = this.#warm.findLastIndex(
      (one) => one.hash === hash && one.held.every((memory) => memories.includes(memory)),
    );
    const [warm] = this.#warm.splice(at, at === -1 ? 0 : 1);
    clearTimeout(warm?.timer);
    const worker = warm?.worker ?? this.#spare.pop() ?? startGuestWorker();
    worker.ref();
    if (this.#pause === undefined) this.#refillAfter(AFTER_START_MS);
    return { worker, knows: warm !== undefined };
  }

  /**
   * A worker that was taken and has no listeners and no guest any more.
   * @param memories of the guest that it had
   * @param kept whether they are used on: if not, nobody who gets the same ones will come
   */
  giveBack(worker: Worker, hash: ModuleHash, memories: readonly WebAssembly.Memory[], kept: boolean): void {
    const bytes = memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    const large = bytes > HELD_BYTES;
    if (bytes > this.memories.most || (large && !kept)) return void worker.terminate();
    const timer = large ? setTimeout(() => void worker.terminate(), KEPT_MS).unref() : undefined;
    const warm = { worker, hash, held: large ? memories : [], timer };
    worker.on('error', () => {});
    worker.once('exit', () => {
      clearTimeout(timer);
      remove(this.#warm, warm);
    });
    worker.unref();
    this.#warm.push(warm);
    if (this.#closed || this.#warm.length > WARM_WORKERS) void this.#warm.shift()?.worker.terminate();
  }

  /** A process arrives, has arrived or leaves: the reserve can wait. */
  postpone(): void {
    if (this.#pause !== undefined) this.#refillAfter(AFTER_MOVE_MS);
  }

  /** Ends the workers that no one has; those taken are their takers' to end. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWaiting();
    const workers = [...this.#spare.splice(0), ...this.#warm.splice(0).map(({ worker }) => worker)];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #refillAfter(pause: number): void {
    const refill = (): void => this.#refill();
    clearTimeout(this.#pause);
    this.#pause = setTimeout(refill, pause).unref();
    this.#latest ??= setTimeout(refill, REFILL_MS).unref();
  }

  #stopWaiting(): void {
    clearTimeout(this.#pause);
    clearTimeout(this.#latest);
    this.#pause = this.#latest = undefined;
  }

  #refill(): void {
    this.#stopWaiting();
    while (!this.#closed && this.#spare.length < SPARE_WORKERS) {
      const worker = startGuestWorker();
      worker.unref();
      worker.once('exit', () => remove(this.#spare, worker));
      this.#spare.push(worker);
    }
  }
}

function remove<T>(list: T[], entry: T): void {
  const at = list.indexOf(entry);
  if (at !== -1) list.splice(at, 1);
}

function startGuestWorker(): Worker {
  const worker = startWorker('guests/guest-worker', null, {
    // A guest's output goes through its descriptors; nothing in a worker writes to the daemon's own streams.
    stdout: false,
    stderr: false,
    env: {},
  });
  // Whoever takes the worker listens too; without a listener an error of a spare worker would end the daemon.
  worker.on('error', () => {});
  return worker;
}
