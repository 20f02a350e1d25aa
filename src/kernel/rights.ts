/**
 * Rights: which ones make sense for which kind of file, what a descriptor starts with, and what a call fails with if
 * its right is missing.
 *
 * A right that is missing because the kind of file can never have it is the error that POSIX gives for such a file
 * (EISDIR, ENOTDIR, ESPIPE, ENOTSOCK, ...), so that programs ported from POSIX see what they know. Reading what is
 * open for writing only, and the reverse, is EBADF as in POSIX; to change the size of what is open for reading only is
 * EINVAL. Any other missing right is ENOTCAPABLE.
 *
 * Specification: witx/typenames.witx, `rights`; path_open: "fewer rights than specified, if and only if those rights
 * do not apply to the type of file being opened".
 */
import { ERRNO, type Errno } from '../abi/errno.ts';
import { FileType, Rights } from '../abi/types.ts';

function union(...rights: readonly bigint[]): bigint {
  return rights.reduce((all, right) => all | right, 0n);
}

const SEEKING = union(Rights.fd_seek, Rights.fd_tell);
const SYNCING = union(Rights.fd_datasync, Rights.fd_sync);
const SOCKET_ONLY = union(Rights.sock_shutdown, Rights.sock_accept);

/** What can be done with a directory and the paths below it. */
const DIRECTORY_ONLY = union(
  Rights.path_create_directory,
  Rights.path_create_file,
  Rights.path_link_source,
  Rights.path_link_target,
  Rights.path_open,
  Rights.fd_readdir,
  Rights.path_readlink,
  Rights.path_rename_source,
  Rights.path_rename_target,
  Rights.path_filestat_get,
  Rights.path_filestat_set_size,
  Rights.path_filestat_set_times,
  Rights.path_symlink,
  Rights.path_remove_directory,
  Rights.path_unlink_file,
);

const STREAM = union(
  Rights.fd_read,
  Rights.fd_write,
  Rights.fd_fdstat_set_flags,
  Rights.fd_filestat_get,
  Rights.poll_fd_readwrite,
);

const REGULAR = union(
  STREAM,
  SEEKING,
  SYNCING,
  Rights.fd_advise,
  Rights.fd_allocate,
  Rights.fd_filestat_set_size,
  Rights.fd_filestat_set_times,
);

const DIRECTORY = union(
  DIRECTORY_ONLY,
  SYNCING,
  Rights.fd_fdstat_set_flags,
  Rights.fd_filestat_get,
  Rights.fd_filestat_set_times,
);

/**
 * The rights that apply to each kind of file. A character device has those to seek: wasi-libc takes one without them
 * for a terminal (isatty), and the devices that a path can name are none; a terminal leaves them out itself.
 */
const APPLICABLE: Readonly<Record<FileType, bigint>> = {
  [FileType.unknown]: STREAM,
  [FileType.blockDevice]: REGULAR,
  [FileType.characterDevice]: union(STREAM, SEEKING, Rights.fd_filestat_set_times),
  [FileType.directory]: DIRECTORY,
  [FileType.regularFile]: REGULAR,
  [FileType.socketDgram]: union(STREAM, SOCKET_ONLY),
  [FileType.socketStream]: union(STREAM, SOCKET_ONLY),
  [FileType.symbolicLink]: 0n,
};

/** All that a file below a given directory can have; sockets have no paths. */
export const PATH_RIGHTS = union(REGULAR, DIRECTORY);

export interface RightsPair {
  readonly base: bigint;
  /** What descriptors that are opened through this one may have at most. */
  readonly inheriting: bigint;
}

/** A directory that the process is given at the start. */
export const PREOPEN_RIGHTS: RightsPair = { base: DIRECTORY, inheriting: PATH_RIGHTS };

/** A socket that listens: it only accepts, and what it accepts can do everything but that. */
export const LISTENER_RIGHTS: RightsPair = {
  base: union(
    Rights.sock_accept,
    Rights.sock_shutdown,
    Rights.fd_read,
    Rights.fd_fdstat_set_flags,
    Rights.fd_filestat_get,
    Rights.poll_fd_readwrite,
  ),
  inheriting: union(STREAM, Rights.sock_shutdown),
};

/**
 * A pipe's end, a terminal or another stream.
 * @param seekable a regular file or a device on the user's side @param isFile a regular file that can do all that such can
 */
export function streamRights(readable: boolean, writable: boolean, seekable: boolean, isFile = false): RightsPair {
  const without = union(readable ? 0n : Rights.fd_read, writable ? 0n : Rights.fd_write);
  return { base: union(STREAM, seekable ? SEEKING : 0n, isFile ? REGULAR : 0n) & ~without, inheriting: 0n };
}

/** `base` without the rights that do not apply to the kind of file that was opened. */
export function applicable(filetype: FileType, base: bigint): bigint {
  return base & APPLICABLE[filetype];
}

/** fd_seek includes fd_tell, fd_sync includes fd_datasync (witx). */
export function withImplied(rights: bigint): bigint {
  return union(
    rights,
    (rights & Rights.fd_seek) === 0n ? 0n : Rights.fd_tell,
    (rights & Rights.fd_sync) === 0n ? 0n : Rights.fd_datasync,
  );
}

interface Unfit {
  readonly rights: bigint;
  readonly kinds: readonly FileType[];
  /** Counts only if the descriptor lacks this right as well. */
  readonly without?: bigint;
  readonly errno: Errno;
}

const SOCKETS = [FileType.socketDgram, FileType.socketStream];
const STREAMS = [FileType.unknown, FileType.characterDevice, ...SOCKETS];
const ALL_KINDS = Object.values(FileType);

/** What POSIX says about a right that a kind of file lacks; the first row that fits counts. */
const UNFIT: readonly Unfit[] = [
  { rights: union(Rights.fd_write, Rights.fd_allocate), kinds: [FileType.directory], errno: ERRNO.badf },
  {
    rights: union(Rights.fd_read, SEEKING, Rights.fd_advise),
    kinds: [FileType.directory],
    errno: ERRNO.isdir,
  },
  { rights: Rights.fd_filestat_set_size, kinds: [FileType.directory, ...STREAMS], errno: ERRNO.inval },
  { rights: DIRECTORY_ONLY, kinds: ALL_KINDS.filter((kind) => kind !== FileType.directory), errno: ERRNO.notdir },
  { rights: SOCKET_ONLY, kinds: ALL_KINDS.filter((kind) => !SOCKETS.some((s) => s === kind)), errno: ERRNO.notsock },
  { rights: union(SEEKING, Rights.fd_advise, Rights.fd_allocate), kinds: STREAMS, errno: ERRNO.spipe },
  { rights: SYNCING, kinds: STREAMS, errno: ERRNO.inval },
  { rights: union(Rights.fd_read, Rights.fd_write), kinds: ALL_KINDS, errno: ERRNO.badf },
  // ftruncate and posix_fallocate of what is not open for writing.
  {
    rights: Rights.fd_filestat_set_size,
    kinds: [FileType.regularFile],
    without: Rights.fd_write,
    errno: ERRNO.inval,
  },
  { rights: Rights.fd_allocate, kinds: [FileType.regularFile], without: Rights.fd_write, errno: ERRNO.badf },
];

/**
 * The errno of a call on a file of this kind that needs rights which the descriptor lacks.
 * @param needed rights of which at least one is missing @param base all that the descriptor has
 */
export function missingRight(filetype: FileType, needed: bigint, base: bigint): Errno {
  const missing = needed & ~base;
  const row = UNFIT.find(
    ({ rights, kinds, without = 0n }) =>
      (rights & missing) !== 0n && kinds.includes(filetype) && (without & base) === 0n,
  );
  return row?.errno ?? ERRNO.notcapable;
}
