/** Files and directories in memory, as small as the tests of the kernel need them. */
import { ERRNO, ErrnoError } from '../../abi/errno.ts';
import { FdFlags, type DirEntry, type FileStat, FileType, Whence } from '../../abi/types.ts';
import { encodeUtf8 } from '../../base/bytes.ts';
import type { Directory, Maybe, NewTime, OpenFile, OpenOptions, Readiness } from '../../vfs/openfile.ts';

interface FileNode {
  readonly ino: bigint;
  bytes: Uint8Array;
  atim: bigint;
  mtim: bigint;
  nlink: bigint;
}

interface DirectoryNode {
  readonly ino: bigint;
  readonly entries: Map<string, Node>;
}

type Node = FileNode | DirectoryNode;

let lastIno = 0n;

function fail(errno: keyof typeof ERRNO): never {
  throw new ErrnoError(ERRNO[errno]);
}

function newFile(): FileNode {
  return { ino: ++lastIno, bytes: new Uint8Array(0), atim: 0n, mtim: 0n, nlink: 1n };
}

function statOf(node: Node): FileStat {
  const times = { atim: 0n, mtim: 0n, ctim: 0n };
  return 'bytes' in node
    ? {
        ...times,
        dev: 1n,
        ino: node.ino,
        filetype: FileType.regularFile,
        nlink: node.nlink,
        size: BigInt(node.bytes.length),
        atim: node.atim,
        mtim: node.mtim,
      }
    : { ...times, dev: 1n, ino: node.ino, filetype: FileType.directory, nlink: 1n, size: 0n };
}

/** What both kinds share. `closed` tells a test that the last descriptor is gone. */
abstract class MemoryObject {
  readonly hostFd = null;
  flags: number;
  closed = 0;

  constructor(flags: number) {
    this.flags = flags;
  }

  setFlags(flags: number): void {
    this.flags = flags;
  }

  advise(): void {}

  sync(): void {}

  poll(): Maybe<Readiness> {
    return { bytes: 1n, hangup: false };
  }

  close(): void {
    this.closed++;
  }
}

export class MemoryFile extends MemoryObject implements OpenFile {
  readonly filetype = FileType.regularFile;
  readonly node: FileNode;
  #position = 0;

  constructor(node: FileNode = newFile(), flags = 0) {
    super(flags);
    this.node = node;
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): number {
    let at = position === null ? this.#position : Number(position);
    const start = at;
    for (const buffer of buffers) {
      const part = this.node.bytes.subarray(at, at + buffer.length);
      buffer.set(part);
      at += part.length;
    }
    if (position === null) this.#position = at;
    return at - start;
  }

  write(buffers: readonly Uint8Array[], position: bigint | null): number {
    if ((this.flags & FdFlags.append) !== 0 && position === null) this.#position = this.node.bytes.length;
    let at = position === null ? this.#position : Number(position);
    const start = at;
    for (const buffer of buffers) {
      const end = at + buffer.length;
      if (end > this.node.bytes.length) this.setSize(BigInt(end));
      this.node.bytes.set(buffer, at);
      at = end;
    }
    if (position === null) this.#position = at;
    return at - start;
  }

  seek(offset: bigint, whence: number): bigint {
    const from = whence === Whence.set ? 0 : whence === Whence.cur ? this.#position : this.node.bytes.length;
    const to = from + Number(offset);
    if (to < 0) fail('inval');
    this.#position = to;
    return BigInt(to);
  }

  stat(): FileStat {
    return statOf(this.node);
  }

  setSize(size: bigint): void {
    const resized = new Uint8Array(Number(size));
    resized.set(this.node.bytes.subarray(0, Number(size)));
    this.node.bytes = resized;
  }

  setTimes(atim: NewTime, mtim: NewTime): void {
    if (typeof atim === 'bigint') this.node.atim = atim;
    if (typeof mtim === 'bigint') this.node.mtim = mtim;
  }

  allocate(offset: bigint, length: bigint): void {
    const size = offset + length;
    if (size > BigInt(this.node.bytes.length)) this.setSize(size);
  }
}

/** Paths are names of one or more components; there are no links. */
export class MemoryDirectory extends MemoryObject implements Directory {
  readonly filetype = FileType.directory;
  readonly node: DirectoryNode;
  /** If set, `open` gives this instead, so that a test can hold an open back. */
  held: Maybe<OpenFile> | null = null;
  lastOptions: OpenOptions | null = null;

  constructor(node: DirectoryNode = { ino: ++lastIno, entries: new Map() }, flags = 0) {
    super(flags);
    this.node = node;
  }

  read(): never {
    return fail('isdir');
  }

  write(): never {
    return fail('isdir');
  }

  seek(): never {
    return fail('isdir');
  }

  setSize(): never {
    return fail('isdir');
  }

  allocate(): never {
    return fail('isdir');
  }

  stat(): FileStat {
    return statOf(this.node);
  }

  setTimes(): void {}

  open(path: string, options: OpenOptions): Maybe<OpenFile> {
    this.lastOptions = options;
    if (this.held !== null) return this.held;
    if (path === '.') return options.write ? fail('isdir') : new MemoryDirectory(this.node, options.flags);
    const { entries, name } = this.#parent(path);
    let node = entries.get(name);
    if (node === undefined) {
      if (!options.create) fail('noent');
      node = newFile();
      entries.set(name, node);
    } else if (options.create && options.exclusive) fail('exist');
    if (!('bytes' in node)) return options.write ? fail('isdir') : new MemoryDirectory(node, options.flags);
    if (options.directory) fail('notdir');
    const file = new MemoryFile(node, options.flags);
    if (options.truncate) file.setSize(0n);
    return file;
  }

  *entries(cookie: bigint): Generator<DirEntry> {
    const dots: [string, Node][] = [
      ['.', this.node],
      ['..', this.node],
    ];
    for (const [index, [name, node]] of [...dots, ...this.node.entries].entries()) {
      if (index < cookie) continue;
      const { ino, filetype } = statOf(node);
      yield { next: BigInt(index + 1), ino, filetype, name };
    }
  }

  makeDirectory(path: string): void {
    const { entries, name } = this.#parent(path);
    if (entries.has(name)) fail('exist');
    entries.set(name, { ino: ++lastIno, entries: new Map() });
  }

  removeDirectory(path: string): void {
    const { entries, name } = this.#parent(path);
    const node = entries.get(name) ?? fail('noent');
    if ('bytes' in node) fail('notdir');
    if (node.entries.size > 0) fail('notempty');
    entries.delete(name);
  }

  unlink(path: string): void {
    const { entries, name } = this.#parent(path);
    const node = entries.get(name) ?? fail('noent');
    if (!('bytes' in node)) fail('isdir');
    node.nlink--;
    entries.delete(name);
  }

  statPath(path: string): FileStat {
    const { entries, name } = this.#parent(path);
    return statOf(path === '.' ? this.node : (entries.get(name) ?? fail('noent')));
  }

  setPathTimes(path: string, _follow: boolean, atim: NewTime, mtim: NewTime): void {
    const { entries, name } = this.#parent(path);
    const node = entries.get(name) ?? fail('noent');
    if ('bytes' in node) new MemoryFile(node).setTimes(atim, mtim);
  }

  /** Every name is a link to itself in capitals. */
  readLink(path: string): Uint8Array {
    return encodeUtf8(path.toUpperCase());
  }

  symlink(): never {
    return fail('perm');
  }

  link(path: string, _follow: boolean, to: Directory, toPath: string): void {
    if (!(to instanceof MemoryDirectory)) fail('xdev');
    const from = this.#parent(path);
    const node = from.entries.get(from.name) ?? fail('noent');
    const target = to.#parent(toPath);
    if (target.entries.has(target.name)) fail('exist');
    if (!('bytes' in node)) fail('perm');
    node.nlink++;
    target.entries.set(target.name, node);
  }

  rename(path: string, to: Directory, toPath: string): void {
    if (!(to instanceof MemoryDirectory)) fail('xdev');
    const from = this.#parent(path);
    const node = from.entries.get(from.name) ?? fail('noent');
    from.entries.delete(from.name);
    const target = to.#parent(toPath);
    target.entries.set(target.name, node);
  }

  #parent(path: string): { readonly entries: Map<string, Node>; readonly name: string } {
    const names = path.split('/');
    const name = names.pop() ?? '';
    let { entries } = this.node;
    for (const directory of names) {
      const node = entries.get(directory) ?? fail('noent');
      if ('bytes' in node) fail('notdir');
      ({ entries } = node);
    }
    return { entries, name };
  }
}
