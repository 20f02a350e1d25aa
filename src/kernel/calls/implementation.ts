/**
 * What the implementations of the system calls have in common.
 */
import type { Args, Results } from '../../abi/kinds.ts';
import type { PREVIEW1, Preview1Name } from '../../abi/preview1.ts';
import type { Signal } from '../../abi/signals.ts';
import { FileType } from '../../abi/types.ts';
import type { Seat } from '../../base/ids.ts';
import type { Directory, Maybe, OpenFile, Socket } from '../../vfs/openfile.ts';
import type { Process } from '../process.ts';
import type { ExitStatus } from '../status.ts';
import { refuse } from '../maybe.ts';

export type ArgsOf<N extends Preview1Name> = Args<(typeof PREVIEW1)[N]>;
export type ResultsOf<N extends Preview1Name> = Results<(typeof PREVIEW1)[N]>;

/** What a call can do to processes beyond its own descriptors. */
export interface ProcessControl {
  end(process: Process, status: ExitStatus): void;
  signal(process: Process, signal: Signal): void;
}

export interface CallContext {
  readonly process: Process;
  /** Of the thread that makes the call. */
  readonly seat: Seat;
  readonly control: ProcessControl;
}

/**
 * One system call: the results now, or later if the table says that it `blocks`, or ErrnoError. Buffers among the
 * arguments are views that stay valid until the call has settled or is withdrawn.
 */
export type Implementation<N extends Preview1Name> = (
  context: CallContext,
  args: ArgsOf<N>,
) => (typeof PREVIEW1)[N]['blocks'] extends true ? Maybe<ResultsOf<N>> : ResultsOf<N>;

/** The results of a call that has none. */
export const NOTHING = {};

/** A file is a directory exactly if its type says so: no other object has that type. */
function isDirectory(file: OpenFile): file is Directory {
  return file.filetype === FileType.directory;
}

/** A stream of the user's side may be a socket there without being one here: only objects that accept are. */
export function isSocket(file: OpenFile): file is Socket {
  return 'accept' in file;
}

/** @throws ErrnoError `badf`, `notdir`, `notcapable` */
export function directoryAt(process: Process, fd: number, rights: bigint): Directory {
  const { file } = process.descriptors.require(fd, rights);
  return isDirectory(file) ? file : refuse('notdir');
}

/** @throws ErrnoError `badf`, `notsock`, `notcapable` */
export function socketAt(process: Process, fd: number, rights: bigint): Socket {
  const { file } = process.descriptors.get(fd);
  // Before the rights: reading and writing are rights that other files have too.
  if (!isSocket(file)) refuse('notsock');
  process.descriptors.require(fd, rights);
  return file;
}

/** @throws ErrnoError `inval` if `value` has bits that are not among `known` */
export function checkFlags(value: number, known: Readonly<Record<string, number>>): void {
  let all = 0;
  for (const bit of Object.values(known)) all |= bit;
  if ((value & ~all) !== 0) refuse('inval');
}
