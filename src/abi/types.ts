/**
 * The records, flags and constants of WASI preview 1 (witx `typenames`). Layouts are in abi/layout.ts.
 */

/** witx `filetype` */
export const FileType = {
  unknown: 0,
  blockDevice: 1,
  characterDevice: 2,
  directory: 3,
  regularFile: 4,
  socketDgram: 5,
  socketStream: 6,
  symbolicLink: 7,
} as const;
export type FileType = (typeof FileType)[keyof typeof FileType];

/** Whether a number from outside is a file type. */
export function isFileType(n: number): n is FileType {
  return Number.isInteger(n) && n >= 0 && n <= FileType.symbolicLink;
}

/** witx `fdflags` (u16) */
export const FdFlags = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const;

/** witx `oflags` (u16) */
export const OFlags = { creat: 1, directory: 2, excl: 4, trunc: 8 } as const;

/** witx `lookupflags` (u32) */
export const LookupFlags = { symlinkFollow: 1 } as const;

/** witx `fstflags` (u16) */
export const FstFlags = { atim: 1, atimNow: 2, mtim: 4, mtimNow: 8 } as const;

/** witx `whence` (u8) */
export const Whence = { set: 0, cur: 1, end: 2 } as const;

/** witx `clockid` (u32) */
export const ClockId = { realtime: 0, monotonic: 1, processCputime: 2, threadCputime: 3 } as const;

/** witx `rights` (u64) */
export const Rights = {
  fd_datasync: 1n << 0n,
  fd_read: 1n << 1n,
  fd_seek: 1n << 2n,
  fd_fdstat_set_flags: 1n << 3n,
  fd_sync: 1n << 4n,
  fd_tell: 1n << 5n,
  fd_write: 1n << 6n,
  fd_advise: 1n << 7n,
  fd_allocate: 1n << 8n,
  path_create_directory: 1n << 9n,
  path_create_file: 1n << 10n,
  path_link_source: 1n << 11n,
  path_link_target: 1n << 12n,
  path_open: 1n << 13n,
  fd_readdir: 1n << 14n,
  path_readlink: 1n << 15n,
  path_rename_source: 1n << 16n,
  path_rename_target: 1n << 17n,
  path_filestat_get: 1n << 18n,
  path_filestat_set_size: 1n << 19n,
  path_filestat_set_times: 1n << 20n,
  fd_filestat_get: 1n << 21n,
  fd_filestat_set_size: 1n << 22n,
  fd_filestat_set_times: 1n << 23n,
  path_symlink: 1n << 24n,
  path_remove_directory: 1n << 25n,
  path_unlink_file: 1n << 26n,
  poll_fd_readwrite: 1n << 27n,
  sock_shutdown: 1n << 28n,
  sock_accept: 1n << 29n,
} as const;

/** witx `riflags`, `sdflags` */
export const RiFlags = { peek: 1, waitall: 2 } as const;
export const SdFlags = { rd: 1, wr: 2 } as const;

/** witx `eventtype` (u8), `eventrwflags` (u16), `subclockflags` (u16) */
export const EventType = { clock: 0, fdRead: 1, fdWrite: 2 } as const;
export const EventRwFlags = { hangup: 1 } as const;
export const SubClockFlags = { abstime: 1 } as const;

export interface FdStat {
  readonly filetype: FileType;
  /** {@link FdFlags} */
  readonly flags: number;
  readonly rightsBase: bigint;
  readonly rightsInheriting: bigint;
}

/** Times in nanoseconds since the epoch. */
export interface FileStat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly filetype: FileType;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly atim: bigint;
  readonly mtim: bigint;
  readonly ctim: bigint;
}

/**
 * witx `preopentype`. The specification has directories only. `socket` is Godwit's: sockets passed in at the start lie
 * before the directories, and wasi-libc's search for directories ends at a number that is EBADF but goes on behind a
 * type that it does not know.
 */
export const PreopenType = { directory: 0, socket: 1 } as const;

/** What was there at the start; `nameLength` in bytes. */
export interface Prestat {
  /** {@link PreopenType} */
  readonly tag: number;
  readonly nameLength: number;
}

export interface DirEntry {
  /** Where a reader continues behind this entry. */
  readonly next: bigint;
  readonly ino: bigint;
  readonly filetype: FileType;
  readonly name: string;
}

export type Subscription =
  | {
      readonly type: 'clock';
      readonly userdata: bigint;
      readonly clock: number;
      readonly timeout: bigint;
      readonly abstime: boolean;
    }
  | { readonly type: 'fdRead' | 'fdWrite'; readonly userdata: bigint; readonly fd: number };

export interface Event {
  readonly userdata: bigint;
  /** errno, 0 for success */
  readonly error: number;
  readonly type: number;
  /** Bytes ready to read or free to write, for fdRead and fdWrite. */
  readonly bytes: bigint;
  readonly flags: number;
}
