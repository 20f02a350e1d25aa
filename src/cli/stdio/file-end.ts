/**
 * What a standard stream can do as a regular file: on this command's own descriptor, as a node does it on files that a
 * program has opened.
 */
import type { FileEnd } from '../../kernel/file-end.ts';
import { settled } from '../../kernel/maybe.ts';
import { HostFile } from '../../vfs/hostfile.ts';
import type { Settled } from '../../vfs/openfile.ts';
import type { DescriptorInfo } from './fdinfo.ts';

/** @param fd of a regular file; stays the caller's */
export function fileEnd(fd: number, { readable, writable, flags }: DescriptorInfo): FileEnd {
  const file = new HostFile(fd, { read: readable, write: writable }, flags);
  return {
    readAt: (offset, max, done) =>
      answer(done, () => {
        const bytes = new Uint8Array(max);
        return bytes.subarray(0, file.read([bytes], offset));
      }),
    writeAt: (offset, bytes, done) => answer(done, () => file.write([bytes], offset)),
    sync: (dataOnly, done) => file.sync(dataOnly).whenDone(done),
    setSize: (size, done) => answer(done, () => file.setSize(size)),
    setTimes: (atim, mtim, done) => answer(done, () => file.setTimes(atim, mtim)),
    allocate: (offset, length, done) => answer(done, () => file.allocate(offset, length)),
  };
}

/** Never from inside the call that asks. */
function answer<T>(done: (result: Settled<T>) => void, operation: () => T): void {
  const result = settled(operation);
  queueMicrotask(() => done(result));
}
