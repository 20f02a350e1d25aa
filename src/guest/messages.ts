/** What a guest's worker and its daemon's main thread say to each other besides the control block. */
import type { MessagePort } from 'node:worker_threads';
import type { MachineState } from '../capture/state.ts';

/** All that a thread needs besides its machine state, and all of it that travels with the process. */
export interface GuestContext {
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  /** Nanoseconds between the process's monotonic clock and this machine's (`process.hrtime`). */
  readonly monotonicOffset: bigint;
  /** CPU time used on other nodes or before, in nanoseconds. */
  readonly cpuNanos: bigint;
}

/** To the worker, once: everything that it shares with the main thread. */
export interface GuestSetup {
  /** Names the program: a worker that has had it before need not open it again. */
  readonly hash: string;
  readonly original: Uint8Array<SharedArrayBuffer>;
  readonly rewritten: WebAssembly.Module;
  /** The program's, by their numbers in the module. */
  readonly memories: readonly WebAssembly.Memory[];
  /** The one that calls refer to. */
  readonly memory: WebAssembly.Memory;
  readonly control: WebAssembly.Memory;
  /** Where changes of the descriptor table come from: guest/descriptors.ts. */
  readonly descriptors: MessagePort;
}

/** To the worker: run from the start (no state) or go on from a state. */
export interface GuestOrder {
  readonly context: GuestContext;
  readonly state: MachineState | null;
}

/** From the worker, when its code has left the stack. */
export type GuestReport = {
  /** CPU time of this process so far, in nanoseconds. */
  readonly cpuNanos: bigint;
  /** Calls that were carried out in the thread itself, since its first run. */
  readonly localCalls: number;
  readonly monotonic: bigint;
} & (
  | { readonly type: 'captured'; readonly state: MachineState }
  | { readonly type: 'exited'; readonly status: number }
  | { readonly type: 'trapped'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string }
);
