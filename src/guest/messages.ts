/** What a guest's workers and its daemon's main thread say to each other besides the control block. */
import type { MessagePort } from 'node:worker_threads';
import type { Seat } from '../base/ids.ts';
import type { MachineState } from '../capture/running/state.ts';

/** All that the threads of a process need besides their machine states, and all of it that travels with the process. */
export interface GuestContext {
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
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
  /** Where the threads of the process wait for each other: guest/parking.ts. */
  readonly parking: SharedArrayBuffer;
  /** Where changes of the descriptor table come from: guest/descriptors.ts. */
  readonly descriptors: MessagePort;
}

/** One of the threads of a process. */
export interface ThreadIdentity {
  readonly seat: Seat;
  /** The id that the program knows it by: 0 for the first thread, which has none. */
  readonly id: number;
  /** What it was started with, if it is not the first. */
  readonly argument: number;
  /** CPU time that it has used on other nodes or before, in nanoseconds. */
  readonly cpuNanos: bigint;
}

/** To the worker: run from the start (no state) or go on from a state. */
export interface GuestOrder {
  readonly context: GuestContext;
  readonly thread: ThreadIdentity;
  /** null: it begins */
  readonly state: MachineState | null;
  /** The process goes on from an image or after a capture: the worker says when it has taken up its part. */
  readonly arriving: boolean;
}

interface Used {
  /** CPU time so far, in nanoseconds. */
  readonly cpuNanos: bigint;
  /** Calls that were carried out in the guest's own threads, since the process came here. */
  readonly localCalls: number;
}

/** How a process ends by itself, or by a fault of the engine. */
type End =
  | { readonly type: 'exited'; readonly status: number }
  | { readonly type: 'trapped'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string };

/** From the worker, when a thread's code has left the stack. What it has used is that thread's. */
export type ThreadReport = Used &
  (
    | { readonly type: 'captured'; readonly state: MachineState }
    /** The thread is over, the process is not. */
    | { readonly type: 'returned' }
    | End
  );

/** How it stands with a guest that has left its code with all its threads, or has ended. */
export type GuestReport<Thread> = Used &
  (
    | {
        readonly type: 'captured';
        readonly threads: readonly Thread[];
        /** Milliseconds from when the first thread left until the last one did. */
        readonly leavingMs: number;
      }
    | End
  );
