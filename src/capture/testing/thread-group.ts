/**
 * The threads of a program for tests of the engine alone: each in a worker, all captured together at moments that the
 * test chooses, and resumed together with copies of memory and of the queue in which they wait.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createControl } from '../layout/entries.ts';
import { createMemory } from '../layout/memory.ts';
import { Program } from '../running/program.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { SlotState, WaitQueue } from './wait-queue.ts';

export interface Thread {
  /** 0 for the initial one. */
  readonly id: number;
  readonly argument: number;
  readonly seat: number;
}

/** What all workers of a group have. */
export interface GroupShared {
  readonly original: Uint8Array;
  readonly rewritten: WebAssembly.Module;
  readonly args: readonly string[];
  /** i32 length, and the bytes that have been written. */
  readonly output: SharedArrayBuffer;
  /** i32: the last number that a thread got. */
  readonly numbers: SharedArrayBuffer;
}

/** Begin a thread, or go on with it. */
export interface Order {
  readonly thread: Thread;
  readonly memory: WebAssembly.Memory;
  readonly control: WebAssembly.Memory;
  readonly queue: SharedArrayBuffer;
  /** Null for one that has not begun. */
  readonly state: Uint8Array | null;
  /** When the wait ends in which it was captured. */
  readonly until: number;
}

export type Report =
  | { readonly type: 'spawn'; readonly thread: Thread }
  | { readonly type: 'returned'; readonly thread: Thread }
  | { readonly type: 'captured'; readonly thread: Thread; readonly state: Uint8Array; readonly until: number }
  | { readonly type: 'exit'; readonly status: number }
  | { readonly type: 'failed'; readonly message: string };

/** A thread that does not run: captured, or not begun. */
interface Stopped {
  readonly thread: Thread;
  readonly state: Uint8Array | null;
  readonly until: number;
}

interface Running {
  readonly worker: Worker;
  readonly control: WebAssembly.Memory;
}

const OUTPUT_BYTES = 1 << 16;
const END_OF_TIME = Infinity;

export class ThreadGroup {
  readonly #program: Program;
  readonly #shared: GroupShared;
  #memory: WebAssembly.Memory;
  #queue = new WaitQueue();
  readonly #idle: Worker[] = [];
  readonly #workers: Worker[] = [];
  /** By thread id. */
  readonly #running = new Map<number, Running>();
  #stopped: Stopped[] = [];
  #capturing = false;
  readonly #end = Promise.withResolvers<number>();
  /** Resolved when the last running thread has reported. */
  #quiet: () => void = () => {};
  captures = 0;
  /** Threads that were captured in a wait, and those of them that had been woken by then. */
  captured = 0;
  inWaits = 0;
  woken = 0;
  notBegun = 0;

  constructor(original: Uint8Array, args: readonly string[]) {
    const rewritten = new WebAssembly.Module(rewrite(original).module);
    this.#program = Program.open(original, rewritten);
    this.#memory = createMemory(this.#program.memories[0]!);
    const [output, numbers] = [new SharedArrayBuffer(OUTPUT_BYTES), new SharedArrayBuffer(4)];
    this.#shared = { original, rewritten, args, output, numbers };
    this.#stopped = [{ thread: { id: 0, argument: 0, seat: 0 }, state: null, until: END_OF_TIME }];
  }

  get output(): string {
    const { output } = this.#shared;
    return Buffer.from(new Uint8Array(output, 4, new Int32Array(output)[0])).toString();
  }

  /**
   * @param pause resolves when it is time for the next capture
   * @returns the program's status
   * @throws Error if a thread ends in any other way
   */
  async run(pause: () => Promise<void>): Promise<number> {
    try {
      let status: number | null = null;
      const ended = this.#end.promise.then((value) => (status = value));
      this.#resume();
      for (;;) {
        await Promise.race([pause(), ended]);
        if (status !== null) return status;
        await Promise.race([this.#capture(), ended]);
        if (status !== null) return status;
        this.#resume();
      }
    } finally {
      await Promise.all(this.#workers.map((worker) => worker.terminate()));
    }
  }

  async #capture(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#quiet = resolve;
    this.#capturing = true;
    for (const { control } of this.#running.values()) Atomics.store(new Int32Array(control.buffer), 0, 1);
    this.#queue.nudge();
    this.#checkQuiet();
    await promise;
    this.#capturing = false;
    this.captures++;
    for (const { thread, state } of this.#stopped) {
      const slot = this.#queue.stateOf(thread.seat);
      this.captured++;
      if (state === null) this.notBegun++;
      if (slot !== SlotState.free) this.inWaits++;
      if (slot === SlotState.woken) this.woken++;
    }
  }

  /** Everything is copied, as to another machine. */
  #resume(): void {
    const copy = createMemory({ ...this.#program.memories[0]!, initialPages: this.#memory.buffer.byteLength / 65_536 });
    new Uint8Array(copy.buffer).set(new Uint8Array(this.#memory.buffer));
    this.#memory = copy;
    this.#queue = this.#queue.copy();
    const stopped = this.#stopped;
    this.#stopped = [];
    for (const one of stopped) this.#start(one);
  }

  #start({ thread, state, until }: Stopped): void {
    const worker = this.#idle.pop() ?? this.#newWorker();
    const control = createControl();
    this.#running.set(thread.id, { worker, control });
    const order: Order = { thread, memory: this.#memory, control, queue: this.#queue.shared, state, until };
    worker.postMessage(order);
  }

  #newWorker(): Worker {
    const worker = new Worker(new URL('thread-worker.ts', import.meta.url), { workerData: this.#shared });
    this.#workers.push(worker);
    worker.on('message', (report: Report) => this.#reported(report));
    void once(worker, 'error').then(([error]: unknown[]) => this.#end.reject(error));
    return worker;
  }

  #reported(report: Report): void {
    if (report.type === 'exit') this.#end.resolve(report.status);
    else if (report.type === 'failed') this.#end.reject(new Error(report.message));
    else if (report.type === 'spawn') {
      const stopped: Stopped = { thread: report.thread, state: null, until: END_OF_TIME };
      if (this.#capturing) this.#stopped.push(stopped);
      else this.#start(stopped);
    } else {
      const { worker } = this.#running.get(report.thread.id)!;
      this.#running.delete(report.thread.id);
      this.#idle.push(worker);
      if (report.type === 'captured') this.#stopped.push(report);
      this.#checkQuiet();
    }
  }

  #checkQuiet(): void {
    if (this.#capturing && this.#running.size === 0) this.#quiet();
  }
}
