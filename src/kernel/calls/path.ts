/**
 * Calls on paths, all relative to a directory that is open. Resolution, and that it never leaves the directory that
 * was given, is the business of the Directory (src/vfs).
 */
import { FdFlags, LookupFlags, OFlags, Rights } from '../../abi/types.ts';
import type { OpenOptions } from '../../vfs/openfile.ts';
import { newTimes } from './file.ts';
import { type ArgsOf, checkFlags, directoryAt, type Implementation, NOTHING } from './implementation.ts';
import { mapMaybe, refuse } from '../maybe.ts';
import { applicable, PATH_RIGHTS, type RightsPair, withImplied } from '../rights.ts';

/** Rights that need the file open for reading or for writing in the host's sense. */
const READS = Rights.fd_read | Rights.fd_readdir;
const WRITES = Rights.fd_write | Rights.fd_allocate | Rights.fd_filestat_set_size;

function follows(lookup: number): boolean {
  checkFlags(lookup, LookupFlags);
  return (lookup & LookupFlags.symlinkFollow) !== 0;
}

/**
 * The new descriptor has the rights asked for as far as they apply to the kind of file; more than the directory
 * passes on is ENOTCAPABLE. Rights that no file with a path can have (those of sockets, unknown bits) are as if they
 * were not asked for: programs that ask for "all" set them.
 */
export const path_open: Implementation<'path_open'> = ({ process }, args) => {
  const { fd, path, oflags, flags } = args;
  checkFlags(oflags, OFlags);
  checkFlags(flags, FdFlags);
  const wanted: RightsPair = { base: args.base & PATH_RIGHTS, inheriting: args.inheriting & PATH_RIGHTS };
  const directory = directoryAt(process, fd, rightsToOpen(oflags));
  const given = withImplied(process.descriptors.get(fd).inheriting);
  if (((wanted.base | wanted.inheriting | rightsOfFlags(flags)) & ~given) !== 0n) refuse('notcapable');
  // Before anything is created.
  process.descriptors.checkRoom();
  return mapMaybe(directory.open(path, openOptions(args)), (file) => ({
    opened: process.descriptors.open(file, {
      base: applicable(file.filetype, wanted.base),
      inheriting: wanted.inheriting,
    }),
  }));
};

function rightsToOpen(oflags: number): bigint {
  let rights: bigint = Rights.path_open;
  if ((oflags & OFlags.creat) !== 0) rights |= Rights.path_create_file;
  if ((oflags & OFlags.trunc) !== 0) rights |= Rights.path_filestat_set_size;
  return rights;
}

/** witx, `rights`: fd_datasync and fd_sync say whether path_open may be asked for synchronous writing. */
function rightsOfFlags(flags: number): bigint {
  let rights = 0n;
  if ((flags & FdFlags.dsync) !== 0) rights |= Rights.fd_datasync;
  if ((flags & (FdFlags.sync | FdFlags.rsync)) !== 0) rights |= Rights.fd_sync;
  return rights;
}

function openOptions({ lookup, oflags, base, flags }: ArgsOf<'path_open'>): OpenOptions {
  return {
    read: (base & READS) !== 0n,
    write: (base & WRITES) !== 0n,
    create: (oflags & OFlags.creat) !== 0,
    exclusive: (oflags & OFlags.excl) !== 0,
    truncate: (oflags & OFlags.trunc) !== 0,
    directory: (oflags & OFlags.directory) !== 0,
    followFinalLink: follows(lookup),
    flags,
  };
}

export const path_create_directory: Implementation<'path_create_directory'> = ({ process }, { fd, path }) => {
  directoryAt(process, fd, Rights.path_create_directory).makeDirectory(path);
  return NOTHING;
};

export const path_remove_directory: Implementation<'path_remove_directory'> = ({ process }, { fd, path }) => {
  directoryAt(process, fd, Rights.path_remove_directory).removeDirectory(path);
  return NOTHING;
};

export const path_unlink_file: Implementation<'path_unlink_file'> = ({ process }, { fd, path }) => {
  directoryAt(process, fd, Rights.path_unlink_file).unlink(path);
  return NOTHING;
};

export const path_filestat_get: Implementation<'path_filestat_get'> = ({ process }, { fd, lookup, path }) => ({
  stat: directoryAt(process, fd, Rights.path_filestat_get).statPath(path, follows(lookup)),
});

export const path_filestat_set_times: Implementation<'path_filestat_set_times'> = ({ process }, args) => {
  const directory = directoryAt(process, args.fd, Rights.path_filestat_set_times);
  const { atim, mtim } = newTimes(args);
  directory.setPathTimes(args.path, follows(args.lookup), atim, mtim);
  return NOTHING;
};

export const path_readlink: Implementation<'path_readlink'> = ({ process }, { fd, path, target }) => {
  const text = directoryAt(process, fd, Rights.path_readlink).readLink(path).subarray(0, target.length);
  target.set(text);
  return { count: text.length };
};

export const path_symlink: Implementation<'path_symlink'> = ({ process }, { target, fd, path }) => {
  directoryAt(process, fd, Rights.path_symlink).symlink(target, path);
  return NOTHING;
};

export const path_link: Implementation<'path_link'> = ({ process }, { fd, lookup, path, toFd, toPath }) => {
  const from = directoryAt(process, fd, Rights.path_link_source);
  const to = directoryAt(process, toFd, Rights.path_link_target);
  from.link(path, follows(lookup), to, toPath);
  return NOTHING;
};

export const path_rename: Implementation<'path_rename'> = ({ process }, { fd, path, toFd, toPath }) => {
  const from = directoryAt(process, fd, Rights.path_rename_source);
  const to = directoryAt(process, toFd, Rights.path_rename_target);
  from.rename(path, to, toPath);
  return NOTHING;
};
