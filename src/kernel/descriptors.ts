/**
 * The descriptor table of a process. Only the kernel of the process's home node has it and writes it.
 */
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { assert } from '../base/assert.ts';
import { LIMITS } from '../base/limits.ts';
import type { OpenFile } from '../vfs/openfile.ts';
import { missingRight, type RightsPair, withImplied } from './rights.ts';

export interface Descriptor extends RightsPair {
  readonly file: OpenFile;
  /** The name, in UTF-8, under which the process was given this directory at its start; null for anything else. */
  readonly preopen: Uint8Array | null;
}

/** Told of each number whose descriptor is another one now, has other rights or flags, or is gone (null). */
export type DescriptorListener = (fd: number, descriptor: Descriptor | null) => void;

export class DescriptorTable {
  /** By number; a hole is a free number. */
  readonly #slots: (Descriptor | undefined)[] = [];
  #open = 0;
  readonly #changed: DescriptorListener;

  constructor(changed: DescriptorListener) {
    this.#changed = changed;
  }

  /** Descriptors that are open. */
  get size(): number {
    return this.#open;
  }

  /** @throws ErrnoError `mfile` if the process has as many descriptors as it may */
  checkRoom(): void {
    if (this.#open >= LIMITS.descriptorsPerProcess) throw new ErrnoError(ERRNO.mfile);
  }

  /**
   * Opens the lowest free number on a file, which belongs to the table from then on.
   * @throws ErrnoError `mfile`; the file is closed then
   */
  open(file: OpenFile, rights: RightsPair, preopen: Uint8Array | null = null): number {
    if (this.#open >= LIMITS.descriptorsPerProcess) {
      file.close();
      throw new ErrnoError(ERRNO.mfile);
    }
    const free = this.#slots.findIndex((slot) => slot === undefined);
    const fd = free === -1 ? this.#slots.length : free;
    this.#set(fd, { file, base: rights.base, inheriting: rights.inheriting, preopen });
    this.#open++;
    return fd;
  }

  /** Opens a number that is free, for what a process has at its start. */
  openAt(fd: number, file: OpenFile, rights: RightsPair, preopen: Uint8Array | null = null): void {
    assert(this.#slots[fd] === undefined && this.#open < LIMITS.descriptorsPerProcess, `descriptor ${fd} is free`);
    this.#set(fd, { file, base: rights.base, inheriting: rights.inheriting, preopen });
    this.#open++;
  }

  /** @throws ErrnoError `badf` */
  get(fd: number): Descriptor {
    const descriptor = this.#slots[fd];
    if (descriptor === undefined) throw new ErrnoError(ERRNO.badf);
    return descriptor;
  }

  /** @throws ErrnoError `badf`; what {@link missingRight} says if the descriptor lacks one of the rights `needed` */
  require(fd: number, needed: bigint): Descriptor {
    const descriptor = this.get(fd);
    const base = withImplied(descriptor.base);
    if ((needed & ~base) !== 0n) throw new ErrnoError(missingRight(descriptor.file.filetype, needed, base));
    return descriptor;
  }

  /** @throws ErrnoError `badf`; `notcapable` if a right would be added */
  reduceRights(fd: number, rights: RightsPair): void {
    const old = this.get(fd);
    if ((rights.base & ~withImplied(old.base)) !== 0n || (rights.inheriting & ~withImplied(old.inheriting)) !== 0n) {
      throw new ErrnoError(ERRNO.notcapable);
    }
    this.#set(fd, { ...old, base: rights.base, inheriting: rights.inheriting });
  }

  /**
   * Moves a descriptor to a number that is open, closing what was there (fd_renumber). To itself: nothing happens.
   * @throws ErrnoError `badf` if either is not open
   */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    const replaced = this.get(to);
    if (from === to) return;
    this.#set(to, moved);
    this.#clear(from);
    closeQuietly(replaced.file);
  }

  /** @throws ErrnoError `badf`, or what closing the file failed with; the number is free in either case */
  close(fd: number): void {
    const { file } = this.get(fd);
    this.#clear(fd);
    file.close();
  }

  /**
   * Closes everything, whatever fails.
   * @param threadsGone when no thread can be in the middle of using a file itself any more; null: none is. Such files
   *   stay open until then (vfs/direct.ts)
   */
  closeAll(threadsGone: Promise<void> | null): void {
    for (const [fd, slot] of this.#slots.entries()) {
      if (slot === undefined) continue;
      this.#clear(fd);
      if (threadsGone === null || slot.file.direct === undefined) closeQuietly(slot.file);
      else void threadsGone.then(() => closeQuietly(slot.file));
    }
  }

  /** Tells the listener that a flag of the descriptor's file is another one now. */
  flagsChanged(fd: number): void {
    this.#changed(fd, this.get(fd));
  }

  *entries(): Generator<readonly [fd: number, descriptor: Descriptor]> {
    for (const [fd, slot] of this.#slots.entries()) if (slot !== undefined) yield [fd, slot];
  }

  #set(fd: number, descriptor: Descriptor): void {
    this.#slots[fd] = descriptor;
    this.#changed(fd, descriptor);
  }

  #clear(fd: number): void {
    this.#slots[fd] = undefined;
    this.#open--;
    this.#changed(fd, null);
  }
}

/** Where there is no one to tell that a close failed: what POSIX says of dup2 and of the end of a process. */
function closeQuietly(file: OpenFile): void {
  try {
    file.close();
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
  }
}
