/**
 * Every call of the table in abi/ with its implementation: the compiler refuses a table with a call missing.
 */
import type { Preview1Name } from '../../abi/preview1.ts';
import * as descriptor from './descriptor.ts';
import * as file from './file.ts';
import type { Implementation } from './implementation.ts';
import * as path from './path.ts';
import { poll_oneoff } from './poll.ts';
import * as process from './process.ts';
import * as socket from './socket.ts';

export const CALLS: { readonly [N in Preview1Name]: Implementation<N> } = {
  args_get: process.args_get,
  args_sizes_get: process.args_sizes_get,
  environ_get: process.environ_get,
  environ_sizes_get: process.environ_sizes_get,
  clock_res_get: process.clock_res_get,
  clock_time_get: process.clock_time_get,
  fd_advise: file.fd_advise,
  fd_allocate: file.fd_allocate,
  fd_close: descriptor.fd_close,
  fd_datasync: file.fd_datasync,
  fd_fdstat_get: descriptor.fd_fdstat_get,
  fd_fdstat_set_flags: descriptor.fd_fdstat_set_flags,
  fd_fdstat_set_rights: descriptor.fd_fdstat_set_rights,
  fd_filestat_get: file.fd_filestat_get,
  fd_filestat_set_size: file.fd_filestat_set_size,
  fd_filestat_set_times: file.fd_filestat_set_times,
  fd_pread: file.fd_pread,
  fd_prestat_get: descriptor.fd_prestat_get,
  fd_prestat_dir_name: descriptor.fd_prestat_dir_name,
  fd_pwrite: file.fd_pwrite,
  fd_read: file.fd_read,
  fd_readdir: file.fd_readdir,
  fd_renumber: descriptor.fd_renumber,
  fd_seek: file.fd_seek,
  fd_sync: file.fd_sync,
  fd_tell: file.fd_tell,
  fd_write: file.fd_write,
  path_create_directory: path.path_create_directory,
  path_filestat_get: path.path_filestat_get,
  path_filestat_set_times: path.path_filestat_set_times,
  path_link: path.path_link,
  path_open: path.path_open,
  path_readlink: path.path_readlink,
  path_remove_directory: path.path_remove_directory,
  path_rename: path.path_rename,
  path_symlink: path.path_symlink,
  path_unlink_file: path.path_unlink_file,
  poll_oneoff,
  proc_exit: process.proc_exit,
  proc_raise: process.proc_raise,
  sched_yield: process.sched_yield,
  random_get: process.random_get,
  sock_accept: socket.sock_accept,
  sock_recv: socket.sock_recv,
  sock_send: socket.sock_send,
  sock_shutdown: socket.sock_shutdown,
};
