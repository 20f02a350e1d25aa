/**
 * wasi-threads, as far as there is something to it: one function that programs import, one that they export.
 *
 * Specification: WebAssembly/wasi-threads, README.md and wasi-threads.abi.md.
 */
import type { Signature } from './signature.ts';

export const THREADS_MODULE = 'wasi';

/**
 * Starts a thread: a new instance of the program on the same memory, whose {@link THREAD_ENTRY} gets the thread's id
 * and this argument. Gives the id, from 1 to {@link MAX_THREAD_ID}, or a negative number if there can be no more.
 */
export const THREAD_SPAWN = 'thread-spawn';
export const THREAD_SPAWN_TYPE: Signature = { params: ['i32'], results: ['i32'] };

export const THREAD_ENTRY = 'wasi_thread_start';
export const THREAD_ENTRY_TYPE: Signature = { params: ['i32', 'i32'], results: [] };

/** Ids have 29 bits: C libraries use those above for themselves. */
export const MAX_THREAD_ID = 0x1fff_ffff;
