/**
 * A guest from the daemon's main thread: its memory, its control block and its worker. It knows nothing of homes,
 * nodes or descriptors: calls go out through {@link GuestEvents}, and whoever owns the guest answers them.
 */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { createMemory, type MemorySize } from '../capture/memory.ts';
import type { MachineState } from '../capture/state.ts';
import { assert } from '../base/assert.ts';
import { CONTROL_PAGES as MAXIMUM_CONTROL_PAGES } from '../capture/rewrite.ts';
import { GodwitError } from '../base/errors.ts';
import { Attention, ControlBlock, type RawCall } from '../guest/control.ts';
import type { DescriptorChange } from '../guest/descriptors.ts';
import type { GuestContext, GuestReport } from '../guest/messages.ts';
import type { FromGuestWorker, ToGuestWorker } from './guest-worker.ts';
import type { LoadedModule, ModuleHash } from './modules.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface GuestEvents {
  /** A state has been taken up: the code goes on. Before anything else of it; without this nothing of it has run. */
  takenUp(): void;
  /** The thread waits for this call: answer with `answer` or, if a capture is wanted and the call can wait, `interrupt`. */
  called(call: RawCall): void;
  /** The code has left the stack; the worker is idle. */
  reported(report: GuestReport): void;
}

/** Pages of 64 KiB that the control memory starts with: the control block and room for some frames. */
const CONTROL_PAGES = 2;

/** A worker is kept if its guest had less memory: until it next collects garbage it may hold on to it. */
const WARM_BYTES = 128 * 1024 * 1024;

/** The memories that a guest's program needs. */
export interface GuestMemories {
  readonly sizes: readonly MemorySize[];
  /** The number of the one that calls refer to; without any they get one of no pages. */
  readonly host: number;
}

export class Guest {
  /** By their numbers in the module. */
  readonly memories: readonly WebAssembly.Memory[];
  /** What each of them was asked for. */
  readonly sizes: readonly MemorySize[];
  /** The one that calls refer to. */
  readonly memory: WebAssembly.Memory;
  readonly #control: ControlBlock;
  readonly #worker: Worker;
  readonly #events: GuestEvents;
  readonly #descriptors: MessagePort;
  #ready: Promise<void>;
  #state: 'idle' | 'running' | 'ended' = 'idle';
  /** Running, but its code does not go on yet. */
  #takingUp = false;
  /** What the worker had used before {@link run}: its own start, and compiling. */
  #cpuBefore: Promise<bigint> = Promise.resolve(0n);
  #cpu = { at: -1, nanos: 0n };
  readonly #pool: WorkerPool;
  readonly #hash: ModuleHash;
  /** The worker has been set up, and nothing but a capture has ended code in it. */
  #clean = false;

  /**
   * Reserves all that the guest needs and prepares its worker.
   * @throws RangeError if the machine cannot give the memory
   */
  constructor(module: LoadedModule, { sizes, host }: GuestMemories, pool: WorkerPool, events: GuestEvents) {
    this.sizes = sizes;
    this.memories = sizes.map((size) => pool.memories.take(size));
    this.memory = this.memories[host] ?? createMemory({ initialPages: 0, maximumPages: 0, wide: false });
    const control = new WebAssembly.Memory({
      initial: CONTROL_PAGES,
      maximum: MAXIMUM_CONTROL_PAGES,
      shared: true,
    });
    const { port1, port2 } = new MessageChannel();
    this.#descriptors = port1;
    this.#control = new ControlBlock(control);
    this.#events = events;
    this.#pool = pool;
    this.#hash = module.hash;
    this.#worker = pool.take(module.hash);
    this.#ready = new Promise((resolve, reject) => {
      const taken = (message: FromGuestWorker): void => {
        if (message.type === 'report') return this.#reported(message.report);
        if (message.type === 'taken_up') return this.#tookUp();
        this.#clean = true;
        resolve();
      };
      this.#worker.on('message', taken);
      let reason = 'the guest thread has ended';
      this.#worker.once('error', (error) => {
        reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      // Not at `error`, which may overtake the thread's last messages.
      this.#worker.once('exit', () => {
        reject(new GodwitError('internal', reason));
        this.#fail(reason);
      });
    });
    // Someone who awaits `ready` hears of a failure; if no one does, `reported` tells it.
    this.#ready.catch(() => {});
    const { hash, original, rewritten } = module;
    this.#post(
      {
        type: 'setup',
        setup: { hash, original, rewritten, memories: this.memories, memory: this.memory, control, descriptors: port2 },
      },
      [port2],
    );
    void this.#serveCalls();
  }

  /** Resolves when the worker has compiled and linked what it needs. Rejects with a GodwitError if that fails, or at `end`. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Bytes of all its memories. */
  get memoryBytes(): number {
    return this.memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  /** Runs from the start (`state` null) or goes on from a state. */
  run(context: GuestContext, state: MachineState | null): void {
    assert(this.#state === 'idle', `a guest that is ${this.#state} cannot run`);
    this.#state = 'running';
    this.#takingUp = state !== null;
    this.#cpuBefore = this.#workerCpuNanos().catch(() => 0n);
    this.#cpu = { at: -1, nanos: 0n };
    this.#control.lower(Attention.capture);
    this.#post({ type: 'run', order: { context, state } });
  }

  /** Asks the thread to leave its code at its next safepoint; a report follows, maybe of its end. */
  capture(): void {
    this.#control.raise(Attention.capture);
  }

  /** Takes {@link capture} back; a report may come all the same, if the thread was on its way. */
  release(): void {
    this.#control.lower(Attention.capture);
  }

  /** Stops and continues, as SIGSTOP and SIGCONT do. A thread in a call stops when it is back in its code. */
  stop(): void {
    this.#control.raise(Attention.stop);
  }

  cont(): void {
    this.#control.lower(Attention.stop);
  }

  /** The call that {@link GuestEvents.called} told of is done. */
  answer(errno: number): void {
    this.#control.answer(errno);
    void this.#serveCalls();
  }

  /** That call has had no effect: the thread unwinds, and makes it again when it goes on. */
  interrupt(): void {
    this.#control.interrupt();
    void this.#serveCalls();
  }

  /** CPU time of the worker's thread since {@link run}, in nanoseconds; the last known value while it cannot be asked. */
  async cpuNanos(): Promise<bigint> {
    if (this.#state !== 'ended' && performance.now() - this.#cpu.at > 50) {
      try {
        const nanos = (await this.#workerCpuNanos()) - (await this.#cpuBefore);
        this.#cpu = { at: performance.now(), nanos };
      } catch {
        // The worker has just ended: what was known last is all there is.
      }
    }
    return this.#cpu.nanos;
  }

  /** Ends the thread wherever it is. No event follows. */
  async end(): Promise<void> {
    const hasLeft = this.#clean && this.#state === 'idle';
    this.#state = 'ended';
    this.#control.release();
    this.#descriptors.close();
    if (!hasLeft) {
      await this.#worker.terminate();
      return;
    }
    this.sizes.forEach((size, index) => this.#pool.memories.giveBack(this.memories[index]!, size));
    if (this.memoryBytes > WARM_BYTES) {
      await this.#worker.terminate();
      return;
    }
    for (const event of ['message', 'error', 'exit'] as const) this.#worker.removeAllListeners(event);
    this.#post({ type: 'forget' });
    this.#pool.giveBack(this.#worker, this.#hash);
  }

  /** Tells the thread of a descriptor that it may use itself, or may no longer. Only while it waits or is idle. */
  changeDescriptor(change: DescriptorChange): void {
    this.#descriptors.postMessage(change);
    this.#control.raiseTableVersion();
  }

  async #workerCpuNanos(): Promise<bigint> {
    const { user, system } = await this.#worker.cpuUsage();
    return BigInt(user + system) * 1000n;
  }

  #post(message: ToGuestWorker, transfer: MessagePort[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  async #serveCalls(): Promise<void> {
    const called = await this.#control.called();
    // It may have been ended between the thread's call and now.
    if (!called || this.#state === 'ended') return;
    // A call may overtake the message that was sent before it.
    this.#tookUp();
    if (this.running) this.#events.called(this.#control.pendingCall());
  }

  #tookUp(): void {
    if (!this.#takingUp) return;
    this.#takingUp = false;
    this.#events.takenUp();
  }

  #reported(report: GuestReport): void {
    if (this.#state !== 'running') return;
    this.#state = 'idle';
    this.#clean &&= report.type === 'captured';
    this.#events.reported(report);
  }

  #fail(message: string): void {
    if (this.#state === 'ended') return;
    const wasRunning = this.#state === 'running';
    this.#state = 'ended';
    this.#control.release();
    if (wasRunning)
      this.#events.reported({ type: 'failed', message, cpuNanos: this.#cpu.nanos, localCalls: 0, monotonic: 0n });
  }
}
