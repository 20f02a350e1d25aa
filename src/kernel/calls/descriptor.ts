/**
 * Calls about descriptors themselves: numbers, rights, flags, and what the process was given at its start.
 */
import { FdFlags, PreopenType, Rights } from '../../abi/types.ts';
import { checkFlags, type Implementation, isSocket, NOTHING } from './implementation.ts';
import { refuse } from '../maybe.ts';

export const fd_close: Implementation<'fd_close'> = ({ process }, { fd }) => {
  process.descriptors.close(fd);
  return NOTHING;
};

/** Both numbers must be open, as the specification's "atomically replacing" implies and the test suite checks. */
export const fd_renumber: Implementation<'fd_renumber'> = ({ process }, { fd, to }) => {
  process.descriptors.renumber(fd, to);
  return NOTHING;
};

export const fd_fdstat_get: Implementation<'fd_fdstat_get'> = ({ process }, { fd }) => {
  const { file, base, inheriting } = process.descriptors.get(fd);
  return { stat: { filetype: file.filetype, flags: file.flags, rightsBase: base, rightsInheriting: inheriting } };
};

export const fd_fdstat_set_flags: Implementation<'fd_fdstat_set_flags'> = ({ process }, { fd, flags }) => {
  const { file } = process.descriptors.require(fd, Rights.fd_fdstat_set_flags);
  checkFlags(flags, FdFlags);
  file.setFlags(flags);
  process.descriptors.flagsChanged(fd);
  return NOTHING;
};

export const fd_fdstat_set_rights: Implementation<'fd_fdstat_set_rights'> = ({ process }, { fd, base, inheriting }) => {
  process.descriptors.reduceRights(fd, { base, inheriting });
  return NOTHING;
};

/**
 * A descriptor that was not given at the start is EBADF: that is where wasi-libc's search for directories ends.
 * Sockets are told from that, since those that were given lie before the directories.
 */
export const fd_prestat_get: Implementation<'fd_prestat_get'> = ({ process }, { fd }) => {
  const { preopen, file } = process.descriptors.get(fd);
  if (preopen !== null) return { prestat: { tag: PreopenType.directory, nameLength: preopen.length } };
  if (!isSocket(file)) refuse('badf');
  return { prestat: { tag: PreopenType.socket, nameLength: 0 } };
};

export const fd_prestat_dir_name: Implementation<'fd_prestat_dir_name'> = ({ process }, { fd, name }) => {
  const preopen = process.descriptors.get(fd).preopen ?? refuse('badf');
  if (name.length < preopen.length) refuse('nametoolong');
  name.set(preopen);
  return NOTHING;
};
