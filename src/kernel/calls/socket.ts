/**
 * Calls on sockets. Preview 1 cannot make one: they were passed in at the start or come from sock_accept.
 */
import { FdFlags, RiFlags, Rights, SdFlags } from '../../abi/types.ts';
import { checkFlags, type Implementation, NOTHING, socketAt } from './implementation.ts';
import { mapMaybe, refuse } from '../maybe.ts';
import { applicable } from '../rights.ts';

export const sock_accept: Implementation<'sock_accept'> = ({ process }, { fd, flags }) => {
  const listener = socketAt(process, fd, Rights.sock_accept);
  checkFlags(flags, { nonblock: FdFlags.nonblock });
  process.descriptors.checkRoom();
  const { inheriting } = process.descriptors.get(fd);
  return mapMaybe(listener.accept(flags), (socket) => ({
    accepted: process.descriptors.open(socket, {
      base: applicable(socket.filetype, inheriting),
      inheriting: 0n,
    }),
  }));
};

export const sock_recv: Implementation<'sock_recv'> = ({ process }, { fd, buffers, flags }) => {
  const socket = socketAt(process, fd, Rights.fd_read);
  checkFlags(flags, RiFlags);
  return socket.receive(buffers, flags);
};

/** witx `siflags` has no flags. An errno `pipe` raises no signal, see brokenPipe in calls/file.ts. */
export const sock_send: Implementation<'sock_send'> = ({ process }, { fd, buffers, flags }) => {
  const socket = socketAt(process, fd, Rights.fd_write);
  if (flags !== 0) refuse('inval');
  return mapMaybe(socket.send(buffers, flags), (count) => ({ count }));
};

export const sock_shutdown: Implementation<'sock_shutdown'> = ({ process }, { fd, how }) => {
  const socket = socketAt(process, fd, Rights.sock_shutdown);
  checkFlags(how, SdFlags);
  if (how === 0) refuse('inval');
  socket.shutdown(how);
  return NOTHING;
};
