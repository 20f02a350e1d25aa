/**
 * Checked access to guest memory: the one place where a pointer and a length of a guest turn into a view.
 */
import { ERRNO, ErrnoError } from './errno.ts';

/**
 * The bytes from `pointer` on, as a view.
 * @throws ErrnoError `fault` if they do not all lie in `memory`
 */
export function slice(memory: Uint8Array, pointer: number, length: number): Uint8Array {
  if (pointer + length > memory.length) throw new ErrnoError(ERRNO.fault);
  return memory.subarray(pointer, pointer + length);
}

/** @throws ErrnoError `fault` unless `length` bytes from `pointer` on lie in `memory` */
export function checkRange(memory: Uint8Array, pointer: number, length: number): void {
  if (pointer + length > memory.length) throw new ErrnoError(ERRNO.fault);
}

const views = new WeakMap<Uint8Array, DataView>();

/** A DataView of guest memory, kept for as long as the caller uses the same Uint8Array: making one costs as much as a call. */
export function guestView(memory: Uint8Array): DataView {
  let view = views.get(memory);
  if (view === undefined) {
    view = viewOf(memory);
    views.set(memory, view);
  }
  return view;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes of all buffers together. */
export function totalLength(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total;
}

/**
 * Copies `bytes` into the buffers, each filled before the next one.
 * @returns the bytes copied: fewer than given if the buffers are full
 */
export function scatter(bytes: Uint8Array, buffers: readonly Uint8Array[]): number {
  let done = 0;
  for (const buffer of buffers) {
    if (done === bytes.length) break;
    const part = bytes.subarray(done, done + buffer.length);
    buffer.set(part);
    done += part.length;
  }
  return done;
}

/** The first `limit` bytes of the buffers together, as a copy: guest memory may change under a view at any time. */
export function gather(buffers: readonly Uint8Array[], limit: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(Math.min(limit, totalLength(buffers)));
  let done = 0;
  for (const buffer of buffers) {
    if (done === out.length) break;
    const part = buffer.subarray(0, out.length - done);
    out.set(part, done);
    done += part.length;
  }
  return out;
}
