/**
 * A program with threads (wasi-threads) under `node:wasi`: every thread is a worker with an instance of its own, also
 * the initial one, so that the main thread is free to start others.
 */
import assert from 'node:assert/strict';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { WASI } from 'node:wasi';
import type { WASIOptions } from 'node:wasi';
import type { MemoryType } from '../../src/wasm/module.ts';

interface Work {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly options: WASIOptions;
  /** The last number that a thread got. */
  readonly numbers: Int32Array;
  /** Null for the initial thread. */
  readonly thread: { readonly id: number; readonly argument: number } | null;
}

type Message =
  | { readonly type: 'spawn'; readonly id: number; readonly argument: number }
  | { readonly type: 'ended'; readonly status: number | null; readonly trap: string | null };

/** How a program ended: its status, or null and the engine's message. */
export interface Ending {
  readonly status: number | null;
  readonly trap: string | null;
}

/** @param size of the memory that the program imports, in pages of 64 KiB */
export async function runThreads(
  module: WebAssembly.Module,
  options: WASIOptions,
  { minimum, maximum }: MemoryType,
): Promise<Ending & { readonly memory: WebAssembly.Memory }> {
  assert.ok(maximum !== null, 'a shared memory has a maximum');
  const memory = new WebAssembly.Memory({ initial: minimum, maximum, shared: true });
  const numbers = new Int32Array(new SharedArrayBuffer(4));
  const workers: Worker[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Ending>();
  const start = (thread: Work['thread']): void => {
    const workerValue: Work = { module, memory, options, numbers, thread };
    const worker = new Worker(new URL(import.meta.url), { workerData: workerValue });
    workers.push(worker);
    worker.on('error', reject);
    worker.on('message', (message: Message) => {
      if (message.type === 'spawn') start({ id: message.id, argument: message.argument });
      else resolve({ status: message.status, trap: message.trap });
    });
  };
  start(null);
  try {
    return { ...(await promise), memory };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Ends the process from any of its threads: this one never goes on. */
function end(ending: Ending): never {
  parentPort!.postMessage({ type: 'ended', ...ending });
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function runThread({ module, memory, options, numbers, thread }: Work): void {
  const wasi = new WASI(options);
  const imports = wasi.getImportObject() as Record<string, WebAssembly.ModuleImports>;
  imports['wasi_snapshot_preview1']!['proc_exit'] = (status: number): never => end({ status, trap: null });
  const instance = new WebAssembly.Instance(module, {
    ...imports,
    env: { memory },
    wasi: {
      'thread-spawn'(argument: number): number {
        const id = Atomics.add(numbers, 0, 1) + 1;
        parentPort!.postMessage({ type: 'spawn', id, argument });
        return id;
      },
    },
  });
  wasi.finalizeBindings(instance, { memory });
  const { _start, wasi_thread_start } = instance.exports as Record<string, (...args: number[]) => void>;
  try {
    if (thread === null) {
      _start!();
      end({ status: 0, trap: null });
    } else wasi_thread_start!(thread.id, thread.argument);
  } catch (error) {
    end({ status: null, trap: error instanceof Error ? error.message : String(error) });
  }
}

if (!isMainThread && parentPort !== null && (workerData as Work | null)?.numbers !== undefined)
  runThread(workerData as Work);
