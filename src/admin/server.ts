/**
 * The daemon's end of the control socket: any number of clients, each a session of its own. A client that sends
 * rubbish loses its connection, and nobody else notices.
 */
import { accessSync, chmodSync, constants, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import type { Log } from '../base/env.ts';
import { LIMITS } from '../base/limits.ts';
import type { Daemon } from '../node/daemon.ts';
import { isNamedPipe, OTHER_SOCKET, requireOwnSocket, requireSocketPath, socketFailure } from './socket-path.ts';
import { Session } from './session.ts';
import { directoryFailure, makePrivateDirectory } from '../node/paths.ts';

export interface AdminServer {
  readonly path: string;
  /** Takes no new clients, lets the answers to the present ones go out, and removes the socket. */
  close(): Promise<void>;
}

/** Milliseconds that a client has to take its last answers before it is cut off. */
const CLOSING_GRACE = 1000;

/**
 * Serves a node on a Unix socket that only its owner can open: directory 0700, socket 0600. On Windows `socketPath`
 * is the name of a pipe.
 * @throws GodwitError `state_in_use` if a node answers there already, `usage` if the path is too long, `io` if the socket cannot be made
 */
export async function serveAdmin(daemon: Daemon, socketPath: string, log: Log): Promise<AdminServer> {
  const sessions = new Set<Session>();
  const server = net.createServer((socket) => {
    const session: Session = new Session(daemon, socket, log, () => sessions.delete(session));
    sessions.add(session);
  });
  server.maxConnections = LIMITS.controlClients;
  requireSocketPath(socketPath);
  if (!isNamedPipe(socketPath)) {
    makeSocketDirectory(path.dirname(socketPath));
    requireOwnSocket(socketPath);
    await removeStale(socketPath);
  }
  await listen(server, socketPath);
  server.on('error', (error) => log.error('control socket failed', { error: error.message }));
  return {
    path: socketPath,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      const cut = setTimeout(() => {
        for (const session of sessions) session.cut();
      }, CLOSING_GRACE);
      await closed;
      clearTimeout(cut);
    },
  };
}

/**
 * Makes the directory of a control socket, and sees that a socket can be made there.
 * @throws GodwitError `io`
 */
export function makeSocketDirectory(directory: string): void {
  try {
    makePrivateDirectory(directory);
    accessSync(directory, constants.W_OK);
  } catch (error) {
    const reason = directoryFailure(directory, error);
    throw new GodwitError('io', `cannot use ${directory} for the control socket: ${reason}; ${OTHER_SOCKET}`, {
      cause: error,
    });
  }
}

async function listen(server: net.Server, socketPath: string): Promise<void> {
  // The socket is made inside `listen`, before it returns: with this umask there is no moment at which others see it open.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, () => {
        server.removeListener('error', reject);
        resolve();
      });
      process.umask(umask);
    });
    if (!isNamedPipe(socketPath)) chmodSync(socketPath, 0o600);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    throw failure.code === 'EADDRINUSE' ? inUse(socketPath) : socketFailure('listen on', socketPath, failure);
  } finally {
    process.umask(umask);
  }
}

const inUse = (socketPath: string): GodwitError =>
  new GodwitError(
    'state_in_use',
    `a node already serves ${socketPath}; end it with "godwit down" or choose another --socket`,
  );

/** A node that was killed leaves its socket behind: removed if nobody answers. Anything but a socket is left alone. */
async function removeStale(socketPath: string): Promise<void> {
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) {
    throw new GodwitError('io', `cannot make the control socket ${socketPath}: that is another file; ${OTHER_SOCKET}`);
  }
  if (await answers(socketPath)) throw inUse(socketPath);
  const now = lstatSync(socketPath, { throwIfNoEntry: false });
  // Another node that started at the same moment may have replaced it: that one is not stale.
  if (now && now.ino === found.ino) unlinkSync(socketPath);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
