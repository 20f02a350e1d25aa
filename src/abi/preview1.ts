/**
 * WASI preview 1 (`wasi_snapshot_preview1`): the one place where its system calls exist. Decoding with bounds checks,
 * marshalling for home calls, the dispatcher's types and docs/SYSCALLS.md are all made from this table.
 *
 * Specification: WASI, phases/snapshot/witx/{typenames,wasi_snapshot_preview1}.witx.
 *
 * `params` are the call's inputs in the order of the WebAssembly parameters; kinds that stand for two parameters
 * (pointer and length) are marked in abi/kinds.ts. `results` are the values written through the trailing
 * out-pointers. `runs` says where a call is carried out:
 * - `here`: where the guest is, needing nothing from home;
 * - `home`: by the kernel of the home node;
 * - `descriptor`: on a host file that the guest's node has open itself, in the guest's own thread; otherwise at home.
 * `blocks`: the call may wait, so it must be able to be withdrawn. Only such a call may be implemented by one that does
 * (kernel/calls/implementation.ts). Those on files wait where a standard stream is a file: its user's side is asked.
 */
import type { CallSpec } from './kinds.ts';

export const PREVIEW1 = {
  args_get: { params: { argv: 'stringPointers', buffer: 'stringBytes' }, results: {}, runs: 'here', blocks: false },
  args_sizes_get: { params: {}, results: { count: 'size', bytes: 'size' }, runs: 'here', blocks: false },
  environ_get: {
    params: { environ: 'stringPointers', buffer: 'stringBytes' },
    results: {},
    runs: 'here',
    blocks: false,
  },
  environ_sizes_get: { params: {}, results: { count: 'size', bytes: 'size' }, runs: 'here', blocks: false },
  clock_res_get: { params: { clock: 'u32' }, results: { resolution: 'u64' }, runs: 'here', blocks: false },
  clock_time_get: { params: { clock: 'u32', precision: 'u64' }, results: { time: 'u64' }, runs: 'here', blocks: false },
  fd_advise: {
    params: { fd: 'fd', offset: 'u64', length: 'u64', advice: 'u8' },
    results: {},
    runs: 'home',
    blocks: false,
  },
  fd_allocate: { params: { fd: 'fd', offset: 'u64', length: 'u64' }, results: {}, runs: 'home', blocks: true },
  fd_close: { params: { fd: 'fd' }, results: {}, runs: 'home', blocks: false },
  fd_datasync: { params: { fd: 'fd' }, results: {}, runs: 'home', blocks: true },
  fd_fdstat_get: { params: { fd: 'fd' }, results: { stat: 'fdstat' }, runs: 'home', blocks: false },
  fd_fdstat_set_flags: { params: { fd: 'fd', flags: 'u16' }, results: {}, runs: 'home', blocks: false },
  fd_fdstat_set_rights: {
    params: { fd: 'fd', base: 'u64', inheriting: 'u64' },
    results: {},
    runs: 'home',
    blocks: false,
  },
  fd_filestat_get: { params: { fd: 'fd' }, results: { stat: 'filestat' }, runs: 'home', blocks: true },
  fd_filestat_set_size: { params: { fd: 'fd', size: 'u64' }, results: {}, runs: 'home', blocks: true },
  fd_filestat_set_times: {
    params: { fd: 'fd', atim: 'u64', mtim: 'u64', flags: 'u16' },
    results: {},
    runs: 'home',
    blocks: true,
  },
  fd_pread: {
    params: { fd: 'fd', buffers: 'outBuffers', offset: 'u64' },
    results: { count: 'size' },
    runs: 'descriptor',
    blocks: true,
  },
  fd_prestat_get: { params: { fd: 'fd' }, results: { prestat: 'prestat' }, runs: 'home', blocks: false },
  fd_prestat_dir_name: { params: { fd: 'fd', name: 'outBytes' }, results: {}, runs: 'home', blocks: false },
  fd_pwrite: {
    params: { fd: 'fd', buffers: 'inBuffers', offset: 'u64' },
    results: { count: 'size' },
    runs: 'descriptor',
    blocks: true,
  },
  fd_read: {
    params: { fd: 'fd', buffers: 'outBuffers' },
    results: { count: 'size' },
    runs: 'descriptor',
    blocks: true,
  },
  fd_readdir: {
    params: { fd: 'fd', entries: 'outBytes', cookie: 'u64' },
    results: { count: 'size' },
    runs: 'home',
    blocks: false,
  },
  fd_renumber: { params: { fd: 'fd', to: 'fd' }, results: {}, runs: 'home', blocks: false },
  fd_seek: {
    params: { fd: 'fd', offset: 's64', whence: 'u8' },
    results: { position: 'u64' },
    runs: 'descriptor',
    blocks: true,
  },
  fd_sync: { params: { fd: 'fd' }, results: {}, runs: 'home', blocks: true },
  fd_tell: { params: { fd: 'fd' }, results: { position: 'u64' }, runs: 'descriptor', blocks: true },
  fd_write: {
    params: { fd: 'fd', buffers: 'inBuffers' },
    results: { count: 'size' },
    runs: 'descriptor',
    blocks: true,
  },
  path_create_directory: { params: { fd: 'fd', path: 'path' }, results: {}, runs: 'home', blocks: false },
  path_filestat_get: {
    params: { fd: 'fd', lookup: 'u32', path: 'path' },
    results: { stat: 'filestat' },
    runs: 'home',
    blocks: false,
  },
  path_filestat_set_times: {
    params: { fd: 'fd', lookup: 'u32', path: 'path', atim: 'u64', mtim: 'u64', flags: 'u16' },
    results: {},
    runs: 'home',
    blocks: false,
  },
  path_link: {
    params: { fd: 'fd', lookup: 'u32', path: 'path', toFd: 'fd', toPath: 'path' },
    results: {},
    runs: 'home',
    blocks: false,
  },
  path_open: {
    params: { fd: 'fd', lookup: 'u32', path: 'path', oflags: 'u16', base: 'u64', inheriting: 'u64', flags: 'u16' },
    results: { opened: 'fd' },
    runs: 'home',
    blocks: true,
  },
  path_readlink: {
    params: { fd: 'fd', path: 'path', target: 'outBytes' },
    results: { count: 'size' },
    runs: 'home',
    blocks: false,
  },
  path_remove_directory: { params: { fd: 'fd', path: 'path' }, results: {}, runs: 'home', blocks: false },
  path_rename: {
    params: { fd: 'fd', path: 'path', toFd: 'fd', toPath: 'path' },
    results: {},
    runs: 'home',
    blocks: false,
  },
  path_symlink: { params: { target: 'path', fd: 'fd', path: 'path' }, results: {}, runs: 'home', blocks: false },
  path_unlink_file: { params: { fd: 'fd', path: 'path' }, results: {}, runs: 'home', blocks: false },
  poll_oneoff: {
    params: { subscriptions: 'subscriptions', events: 'events', capacity: 'pollCount' },
    results: { count: 'size' },
    runs: 'home',
    blocks: true,
  },
  proc_exit: { params: { status: 'u32' }, results: {}, runs: 'here', blocks: false },
  proc_raise: { params: { signal: 'u8' }, results: {}, runs: 'home', blocks: false },
  sched_yield: { params: {}, results: {}, runs: 'here', blocks: false },
  random_get: { params: { buffer: 'outBytes' }, results: {}, runs: 'here', blocks: false },
  sock_accept: { params: { fd: 'fd', flags: 'u16' }, results: { accepted: 'fd' }, runs: 'home', blocks: true },
  sock_recv: {
    params: { fd: 'fd', buffers: 'outBuffers', flags: 'u16' },
    results: { count: 'size', roflags: 'u16' },
    runs: 'home',
    blocks: true,
  },
  sock_send: {
    params: { fd: 'fd', buffers: 'inBuffers', flags: 'u16' },
    results: { count: 'size' },
    runs: 'home',
    blocks: true,
  },
  sock_shutdown: { params: { fd: 'fd', how: 'u8' }, results: {}, runs: 'home', blocks: false },
} as const satisfies Record<string, CallSpec>;

export type Preview1Name = keyof typeof PREVIEW1;

/** The calls by number: the position in the table, which both ends of a home call know. */
export const CALL_NAMES = Object.keys(PREVIEW1) as readonly Preview1Name[];

/** Whether the module `wasi_snapshot_preview1` has a function of that name. */
export function isPreview1Name(name: string): name is Preview1Name {
  return Object.hasOwn(PREVIEW1, name);
}

/** The number of a call, from 0 on: its position in the table. */
export function callIndex(name: Preview1Name): number {
  return INDEX.get(name) ?? -1;
}

const INDEX: ReadonlyMap<string, number> = new Map(CALL_NAMES.map((name, index) => [name, index]));
