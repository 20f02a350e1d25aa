/**
 * The control block: the first 1024 bytes of a thread's control memory, where the thread and its daemon's main thread
 * meet. The guest's own code cannot reach it (it is a memory that the original module does not have).
 *
 * | offset | field     | written by                                                                               |
 * |-------:|-----------|------------------------------------------------------------------------------------------|
 * |      0 | attention | the main thread; read by every safepoint poll                                            |
 * |      4 | state     | the thread: `running`, `calling`; the main thread: `answered`, `interrupted` (only while |
 * |        |           | it is `calling`)                                                                         |
 * |      8 | call      | the thread, before it sets `calling`: position of the call in {@link CALL_NAMES}, or SPAWN |
 * |     12 | result    | the main thread, before it sets `answered`: the call's errno, or what else it gives      |
 * |     16 | table     | the main thread: how many changes it has sent to the descriptor table                    |
 * |     20 | slow      | the thread: 1 if it has taken up loops that V8 does not optimise at once                 |
 * |     24 | clock     | the main thread, before it lets the thread's code run: see {@link ControlBlock.clockOffset} |
 * |     32 | arguments | the thread, before it sets `calling`: eight bytes each, an i32 in the lower four         |
 */
import { CALL_NAMES, type Preview1Name } from '../abi/preview1.ts';
import { type Signature, signatureOf } from '../abi/signature.ts';
import { THREAD_SPAWN, THREAD_SPAWN_TYPE } from '../abi/wasi-threads.ts';
import { assert } from '../base/assert.ts';

/**
 * Why a thread must stop at the next safepoint: bits of the attention word. `capture`: it has to leave its code. `stop`:
 * the process is stopped. `hold`: its state has been taken up, and it may not go on yet. `refresh`: it takes its stack up
 * again at once, as better code.
 */
export const Attention = { capture: 1, stop: 2, hold: 4, refresh: 8 } as const;

/** Whether a thread sleeps at a safepoint. */
const sleeps = (attention: number): boolean =>
  (attention & (Attention.stop | Attention.hold)) !== 0 && (attention & Attention.capture) === 0;

export const CallState = { running: 0, calling: 1, answered: 2, interrupted: 3 } as const;

const ATTENTION = 0;
const STATE = 1;
const CALL = 2;
const RESULT = 3;
const TABLE = 4;
const SLOW = 5;
/** In units of eight bytes, both. */
const CLOCK = 3;
const ARGUMENTS = 4;

/** The most arguments that a call has (path_open has nine). */
const MAX_ARGUMENTS = 16;

/** A system call with its raw WebAssembly arguments. */
export interface RawCall {
  readonly name: Preview1Name;
  readonly args: readonly (number | bigint)[];
}

/** What a thread asks of the main thread. */
export type ThreadCall = RawCall | { readonly name: typeof THREAD_SPAWN; readonly args: readonly (number | bigint)[] };

/** The number of the call that is no system call, behind those of all that are. */
export const SPAWN = CALL_NAMES.length;

export class ControlBlock {
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;
  #released = false;
  #called: () => void = () => {};

  constructor(memory: WebAssembly.Memory) {
    this.#words = new Int32Array(memory.buffer, 0, 2 * (ARGUMENTS + MAX_ARGUMENTS));
    this.#longs = new BigInt64Array(memory.buffer, 0, ARGUMENTS + MAX_ARGUMENTS);
  }

  get attention(): number {
    return Atomics.load(this.#words, ATTENTION);
  }

  /** Raises attention bits and wakes a thread that waits for them to change. */
  raise(bits: number): void {
    Atomics.or(this.#words, ATTENTION, bits);
    Atomics.notify(this.#words, ATTENTION);
  }

  lower(bits: number): void {
    Atomics.and(this.#words, ATTENTION, ~bits);
    Atomics.notify(this.#words, ATTENTION);
  }

  /**
   * In the thread: sleeps while it is stopped or held. A capture that is wanted ends the sleep: it needs the thread to
   * reach a safepoint.
   */
  holdWhileStopped(): void {
    for (let now = this.attention; sleeps(now); now = this.attention) Atomics.wait(this.#words, ATTENTION, now);
  }

  /**
   * In the thread: hands a call to the main thread and sleeps until it is answered.
   * @param index of the call in {@link CALL_NAMES}, or {@link SPAWN}
   * @returns the result of the call, mostly an errno, or null if the thread has to unwind and make the call again after it was resumed
   */
  call(index: number, args: readonly (number | bigint)[]): number | null {
    for (let i = 0; i < args.length; i++) {
      const value = args[i] ?? 0;
      if (typeof value === 'bigint') this.#longs[ARGUMENTS + i] = value;
      else this.#words[2 * (ARGUMENTS + i)] = value;
    }
    this.#words[CALL] = index;
    Atomics.store(this.#words, STATE, CallState.calling);
    Atomics.notify(this.#words, STATE);
    while (Atomics.wait(this.#words, STATE, CallState.calling) === 'ok' || this.state === CallState.calling);
    const interrupted = this.state === CallState.interrupted;
    Atomics.store(this.#words, STATE, CallState.running);
    return interrupted ? null : (this.#words[RESULT] ?? 0);
  }

  /** Whether the code that runs would become faster if it was taken up again. */
  get slow(): boolean {
    return Atomics.load(this.#words, SLOW) === 1;
  }

  /** In the thread, when a state has been taken up. */
  set slow(slow: boolean) {
    Atomics.store(this.#words, SLOW, slow ? 1 : 0);
  }

  /** Nanoseconds by which the process's monotonic clock is ahead of this machine's (`process.hrtime`). */
  get clockOffset(): bigint {
    return Atomics.load(this.#longs, CLOCK);
  }

  /** On the main thread, while the thread's code does not run. */
  set clockOffset(nanos: bigint) {
    Atomics.store(this.#longs, CLOCK, nanos);
  }

  get tableVersion(): number {
    return Atomics.load(this.#words, TABLE);
  }

  /** On the main thread, after a change was sent. */
  raiseTableVersion(): void {
    Atomics.add(this.#words, TABLE, 1);
  }

  get state(): number {
    return Atomics.load(this.#words, STATE);
  }

  /** On the main thread: `called` is called once, later, when the thread has set `calling`; not after {@link release}. */
  whenCalled(called: () => void): void {
    this.#called = called;
    if (this.state === CallState.calling) queueMicrotask(this.#look);
    else this.#look();
  }

  /** A callback and no async function: every call that a thread cannot carry out itself comes through here. */
  readonly #look = (): void => {
    if (this.#released) return;
    const state = this.state;
    if (state === CallState.calling) {
      this.#called();
      return;
    }
    const wait = Atomics.waitAsync(this.#words, STATE, state);
    if (wait.async) void wait.value.then(this.#look);
    else queueMicrotask(this.#look);
  };

  /** On the main thread: the thread has ended; whoever waits for its next call waits for nothing. */
  release(): void {
    this.#released = true;
    Atomics.notify(this.#words, STATE);
  }

  /** On the main thread, in state `calling`: what the thread wants. */
  pendingCall(): ThreadCall {
    const index = this.#words[CALL] ?? -1;
    if (index === SPAWN) return { name: THREAD_SPAWN, args: this.#arguments(THREAD_SPAWN_TYPE) };
    const name = CALL_NAMES[index];
    assert(name, `call ${index} is not in the table`);
    return { name, args: this.#arguments(signatureOf(name)) };
  }

  #arguments({ params }: Signature): (number | bigint)[] {
    return params.map((type, i) =>
      type === 'i64' ? (this.#longs[ARGUMENTS + i] ?? 0n) : (this.#words[2 * (ARGUMENTS + i)] ?? 0),
    );
  }

  /** On the main thread, in state `calling`: the call is done. */
  answer(result: number): void {
    this.#words[RESULT] = result;
    this.#leave(CallState.answered);
  }

  /** On the main thread, in state `calling`: the call has had no effect; the thread unwinds and makes it again. */
  interrupt(): void {
    this.#leave(CallState.interrupted);
  }

  #leave(state: number): void {
    Atomics.store(this.#words, STATE, state);
    Atomics.notify(this.#words, STATE);
  }
}
