/**
 * What a guest's own thread may do to descriptors without the kernel: reads, writes and seeks on host files that are
 * open on its node (vfs/direct.ts). The guest keeps a copy of this view; the node updates it from
 * ProcessEvents.descriptorChanged before the call that changed it returns to the guest.
 */
import { Rights } from '../abi/types.ts';
import type { Descriptor } from './descriptors.ts';
import type { Process } from './process.ts';
import { withImplied } from './rights.ts';

export interface DirectEntry {
  readonly fd: number;
  /** Makes a vfs DirectFile in the guest's thread: host descriptor, position and append mode. */
  readonly shared: SharedArrayBuffer;
  /** Which of the six direct calls its rights allow. With a call that they do not, the guest asks the kernel. */
  readonly may: DirectCalls;
}

export interface DirectCalls {
  readonly read: boolean;
  readonly write: boolean;
  readonly seek: boolean;
  readonly tell: boolean;
}

/** The entry for one descriptor; null if the guest has to ask the kernel for everything. */
export function directEntry(fd: number, descriptor: Descriptor | null): DirectEntry | null {
  const direct = descriptor?.file.direct;
  if (descriptor === null || direct === undefined) return null;
  const rights = withImplied(descriptor.base);
  const has = (right: bigint): boolean => (rights & right) !== 0n;
  return {
    fd,
    shared: direct.shared,
    may: {
      read: has(Rights.fd_read),
      write: has(Rights.fd_write),
      seek: has(Rights.fd_seek),
      tell: has(Rights.fd_tell),
    },
  };
}

/** All entries of a process: what a new guest on the home node starts with. */
export function directView(process: Process): readonly DirectEntry[] {
  const view: DirectEntry[] = [];
  for (const [fd, descriptor] of process.descriptors.entries()) {
    const entry = directEntry(fd, descriptor);
    if (entry !== null) view.push(entry);
  }
  return view;
}
