/**
 * One thread of a guest from the daemon's main thread: its control block and its worker. It knows nothing of the other
 * threads: what it does goes out through {@link ThreadEvents}, to the guest that owns it.
 */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { CONTROL_PAGES as MAXIMUM_CONTROL_PAGES } from '../../capture/rewriting/rewrite.ts';
import { Attention, ControlBlock, type ThreadCall } from '../../guest/control.ts';
import type { DescriptorChange } from '../../guest/descriptors.ts';
import type { GuestOrder, GuestSetup, ThreadReport } from '../../guest/messages.ts';
import type { FromGuestWorker, ToGuestWorker } from './guest-worker.ts';
import type { LoadedModule, ModuleHash } from '../modules/modules.ts';
import { Refresher } from './refresh.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface ThreadEvents {
  /** A state has been taken up: its code goes on, unless it is held. Before anything else of it. */
  takenUp(): void;
  /** It waits for this call: answer with `answer` or `interrupt`. */
  called(call: ThreadCall): void;
  /** Its code has left the stack; the worker is idle, or gone if it failed. */
  reported(report: ThreadReport): void;
}

/** What all threads of a guest share. */
export interface SharedByThreads {
  readonly memories: readonly WebAssembly.Memory[];
  readonly memory: WebAssembly.Memory;
  readonly parking: SharedArrayBuffer;
}

/** Pages of 64 KiB that the control memory starts with: the control block and room for some frames. */
const CONTROL_PAGES = 2;

export class HostedThread {
  /** Its worker has run this program before, and is ready a moment after it is told to {@link prepare}. */
  readonly readySoon: boolean;
  readonly #control: ControlBlock;
  readonly #refresher: Refresher;
  readonly #worker: Worker;
  readonly #pool: WorkerPool;
  readonly #hash: ModuleHash;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #descriptors: MessagePort;
  readonly #ready: Promise<void>;
  /** What the worker has still to be sent. */
  #setup: GuestSetup | null;
  /** Of whoever has it run. */
  #events: ThreadEvents | null = null;
  #state: 'idle' | 'running' | 'ended' = 'idle';
  /** Running, but its code does not go on yet. */
  #takingUp = false;
  /** What the worker had used before {@link run}: its own start, and compiling. */
  #cpuBefore: Promise<bigint> = Promise.resolve(0n);
  #cpu = { at: -1, nanos: 0n };
  /** The worker has been set up, and its code has always left it in good order. */
  #clean = false;
  /** Why the worker is gone. */
  #reason = 'the guest thread has ended';

  /** Takes a worker, and prepares it unless that takes no more than a moment. */
  constructor({ hash, original, rewritten }: LoadedModule, shared: SharedByThreads, pool: WorkerPool) {
    const control = new WebAssembly.Memory({ initial: CONTROL_PAGES, maximum: MAXIMUM_CONTROL_PAGES, shared: true });
    const { port1, port2 } = new MessageChannel();
    this.#descriptors = port1;
    this.#control = new ControlBlock(control);
    this.#refresher = new Refresher(this.#control);
    this.#pool = pool;
    this.#hash = hash;
    this.#memories = shared.memories;
    const { worker, knows } = pool.take(hash, shared.memories);
    this.#worker = worker;
    this.readySoon = knows;
    this.#setup = { hash, original, rewritten, ...shared, control, descriptors: port2 };
    this.#ready = this.#listen();
    // Someone who awaits `ready` hears of a failure; if no one does, a report tells it.
    this.#ready.catch(() => {});
    if (!knows) this.prepare();
    this.#control.whenCalled(this.#onCalled);
  }

  /** Has the worker compile and link what it needs. */
  prepare(): void {
    const setup = this.#setup;
    this.#setup = null;
    if (setup) this.#post({ type: 'setup', setup }, [setup.descriptors]);
  }

  /** Resolves when the worker is prepared. Rejects with a GodwitError if that fails, or at `end`. */
  get ready(): Promise<void> {
    this.prepare();
    return this.#ready;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  /** Its code has left the stack in good order: nothing of it touches the guest's memory any more. */
  get hasLeft(): boolean {
    return this.#clean && this.#state === 'idle';
  }

  /** Runs a thread from its start or from a state, with the attention that was raised before. */
  run(order: GuestOrder, events: ThreadEvents): void {
    assert(this.#state !== 'running', 'a thread runs once at a time');
    this.#events = events;
    if (this.#state === 'ended') {
      // Its worker has died while it had nothing to run.
      queueMicrotask(() => events.reported(this.#failure()));
      return;
    }
    this.#state = 'running';
    this.#takingUp = order.arriving;
    this.#cpuBefore = this.#workerCpuNanos().catch(() => 0n);
    this.#cpu = { at: -1, nanos: 0n };
    this.prepare();
    this.#post({ type: 'run', order });
  }

  /** See `ControlBlock.clockOffset`. Only while its code does not run. */
  set clockOffset(nanos: bigint) {
    this.#control.clockOffset = nanos;
  }

  /** Bits of `Attention` (guest/control.ts). A thread in a call notices when it is back in its code. */
  raise(bits: number): void {
    this.#control.raise(bits);
  }

  lower(bits: number): void {
    this.#control.lower(bits);
  }

  /** Its code goes on from the state that it has taken up, if it has not left it again. */
  letGo(): void {
    if (this.running) this.#refresher.begin();
    this.lower(Attention.hold);
  }

  /** The call that {@link ThreadEvents.called} told of is done. */
  answer(result: number): void {
    this.#control.answer(result);
    this.#control.whenCalled(this.#onCalled);
  }

  /** That call has had no effect: the thread unwinds, and makes it again when it goes on. */
  interrupt(): void {
    this.#control.interrupt();
    this.#control.whenCalled(this.#onCalled);
  }

  /** What {@link cpuNanos} gave last. */
  get lastCpuNanos(): bigint {
    return this.#cpu.nanos;
  }

  /**
   * CPU time of the worker's thread since {@link run}, in nanoseconds; the last known value while it cannot be asked.
   * @param age in milliseconds that the value may have
   */
  async cpuNanos(age: number): Promise<bigint> {
    if (this.#state !== 'ended' && performance.now() - this.#cpu.at > age) {
      try {
        const nanos = (await this.#workerCpuNanos()) - (await this.#cpuBefore);
        this.#cpu = { at: performance.now(), nanos };
      } catch {
        // The worker has just ended: what was known last is all there is.
      }
    }
    return this.#cpu.nanos;
  }

  /**
   * Ends the thread wherever it is. No event follows.
   * @param kept whether its memories are used on, by this guest or the next
   */
  async end(kept = true): Promise<void> {
    const warm = this.hasLeft;
    this.#state = 'ended';
    this.#refresher.end();
    this.#control.release();
    this.#descriptors.close();
    if (!warm) {
      await this.#worker.terminate();
      return;
    }
    for (const event of ['message', 'error', 'exit'] as const) this.#worker.removeAllListeners(event);
    this.#post({ type: 'forget' });
    this.#pool.giveBack(this.#worker, this.#hash, this.#memories, kept);
  }

  /** Tells the thread of a descriptor that it may use itself, or may no longer. Only while it waits or is idle. */
  changeDescriptor(change: DescriptorChange): void {
    this.#descriptors.postMessage(change);
    this.#control.raiseTableVersion();
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromGuestWorker) => {
        if (message.type === 'report') return this.#reported(message.report);
        if (message.type === 'taken_up') return this.#tookUp();
        this.#clean = true;
        resolve();
      });
      this.#worker.once('error', (error) => {
        this.#reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      // Not at `error`, which may overtake the thread's last messages.
      this.#worker.once('exit', () => {
        reject(new GodwitError('internal', this.#reason));
        this.#fail();
      });
    });
  }

  async #workerCpuNanos(): Promise<bigint> {
    const { user, system } = await this.#worker.cpuUsage();
    return BigInt(user + system) * 1000n;
  }

  #post(message: ToGuestWorker, transfer: MessagePort[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  readonly #onCalled = (): void => {
    // It may have been ended between the thread's call and now.
    if (this.#state === 'ended') return;
    if (this.running) this.#events?.called(this.#control.pendingCall());
  };

  #tookUp(): void {
    if (!this.#takingUp) return;
    this.#takingUp = false;
    this.#events?.takenUp();
  }

  #reported(report: ThreadReport): void {
    if (this.#state !== 'running') return;
    this.#state = 'idle';
    this.#refresher.end();
    this.#clean &&= report.type === 'captured' || report.type === 'returned';
    this.#events?.reported(report);
  }

  #fail(): void {
    if (this.#state === 'ended') return;
    const wasRunning = this.#state === 'running';
    this.#state = 'ended';
    this.#refresher.end();
    this.#control.release();
    if (wasRunning) this.#events?.reported(this.#failure());
  }

  #failure(): ThreadReport {
    return { type: 'failed', message: this.#reason, cpuNanos: this.#cpu.nanos, localCalls: 0 };
  }
}
