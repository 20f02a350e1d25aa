/**
 * Loaded into a daemon by `--import`: at SIGUSR2 it resets all TCP connections that the daemon has, as a network that
 * breaks would. The daemon's own code knows nothing of it.
 */
import { subscribe } from 'node:diagnostics_channel';
import net from 'node:net';

const sockets = new Set<net.Socket>();

function watch(message: unknown): void {
  if (typeof message !== 'object' || message === null || !('socket' in message)) return;
  const { socket } = message;
  if (!(socket instanceof net.Socket)) return;
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}
subscribe('net.client.socket', watch);
subscribe('net.server.socket', watch);

process.on('SIGUSR2', () => {
  for (const socket of sockets) {
    // A control socket has no address.
    if (socket.remoteAddress !== undefined) socket.resetAndDestroy();
  }
});
