/**
 * The worker that a guest runs in. It is started before it is needed, gets its setup as its first message and then
 * orders; each order is answered with one report, and one to a process that goes on first with `taken_up`. When its
 * thread is over, or its guest has left for another node, it may be kept for the next one of the same program: what has been made to take up frames is there already then, and the engine's code is warm.
 */
import { parentPort } from 'node:worker_threads';
import { randomFillSync } from 'node:crypto';
import { type AnyProgram, openProgram } from '../../capture/running/prepare.ts';
import { warming } from '../../capture/running/warm.ts';
import { GuestThread } from '../../guest/thread.ts';
import { yieldToNode } from './thread-priority.ts';
import type { GuestOrder, GuestSetup, ThreadReport } from '../../guest/messages.ts';
import type { Machinery } from '../../guest/local.ts';
import { realClock } from '../runtime.ts';

export type ToGuestWorker =
  | { readonly type: 'setup'; readonly setup: GuestSetup }
  | { readonly type: 'run'; readonly order: GuestOrder }
  | { readonly type: 'forget' };
export type FromGuestWorker =
  | { readonly type: 'ready' }
  /** The state is taken up; its code runs from now on. */
  | { readonly type: 'taken_up' }
  | { readonly type: 'report'; readonly report: ThreadReport };

/** getrandom(2) and Node give at most this many bytes at once. */
const RANDOM_CHUNK_BYTES = 0x7fff_ffff;

const machinery: Machinery = {
  wallNanos: () => realClock.wallNanos(),
  monotonicNanos: () => process.hrtime.bigint(),
  cpuNanos() {
    const { user, system } = process.threadCpuUsage();
    return BigInt(user + system) * 1000n;
  },
  randomFill(bytes) {
    for (let at = 0; at < bytes.length; at += RANDOM_CHUNK_BYTES) {
      randomFillSync(bytes.subarray(at, at + RANDOM_CHUNK_BYTES));
    }
  },
};

const port = parentPort;
if (!port) throw new Error('guest-worker.ts is started as a worker');
let thread: GuestThread | null = null;
let opened: { readonly hash: string; readonly program: AnyProgram } | null = null;

function open({ hash, original, rewritten }: GuestSetup): AnyProgram {
  if (opened?.hash !== hash) opened = { hash, program: openProgram(original, rewritten) };
  return opened.program;
}

/**
 * A worker that nobody wants after so many milliseconds is one in reserve: it warms the engine up, for the process that will
 * arrive. That takes a processor for some 200 ms, so not while programs start and move: after 200 ms instead, the first moves
 * of a cluster took half as long again.
 */
const WARM_UP_AFTER_MS = 3000;
let pieces: ReturnType<typeof warming> | null = warming();
let idle = setTimeout(warmUp, WARM_UP_AFTER_MS).unref();

/** Piece by piece, since an order may come at any time. */
function warmUp(): void {
  if (pieces?.next().done === false) idle = setTimeout(warmUp, 0).unref();
  else pieces = null;
}

yieldToNode();

const post = (answer: FromGuestWorker): void => port.postMessage(answer);

port.on('message', (message: ToGuestWorker) => {
  clearTimeout(idle);
  // With the memories that it has.
  pieces = null;
  if (message.type === 'setup') {
    thread = new GuestThread(message.setup, open(message.setup), machinery);
    post({ type: 'ready' });
  } else if (message.type === 'forget') {
    thread = null;
  } else if (thread) {
    post({ type: 'report', report: thread.run(message.order, () => post({ type: 'taken_up' })) });
  }
});
