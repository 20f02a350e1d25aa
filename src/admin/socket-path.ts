/** Where a node's control socket is: said by the user, or in the user's runtime directory. */
import { type Stats, lstatSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import { othersCanReplace } from '../node/paths.ts';

/** Windows has named pipes where others have Unix sockets; they are not files. */
export function isNamedPipe(socketPath: string): boolean {
  return socketPath.startsWith('\\\\.\\pipe\\') || socketPath.startsWith('\\\\?\\pipe\\');
}

/**
 * @param said the `--socket` option
 * @param env `GODWIT_SOCKET`, then `XDG_RUNTIME_DIR` are looked at
 * @returns the path to use; its directory may not exist yet
 */
export function controlSocketPath(said: string | undefined, env: NodeJS.ProcessEnv): string {
  if (said) return path.resolve(said);
  if (env['GODWIT_SOCKET']) return path.resolve(env['GODWIT_SOCKET']);
  if (process.platform === 'win32') return `\\\\.\\pipe\\godwit-${os.userInfo().username}`;
  if (env['XDG_RUNTIME_DIR']) return path.join(env['XDG_RUNTIME_DIR'], 'godwit', 'control.sock');
  // A directory of its own, which serveAdmin makes with mode 0700: the temporary directory is everyone's.
  return path.join(os.tmpdir(), `godwit-${process.getuid?.() ?? os.userInfo().username}`, 'control.sock');
}

/**
 * In a temporary directory that everyone may write to, another user could have made our directory or socket first; into
 * a directory of ours that others may write to, they could put another socket; and the commands would speak to that
 * user's node. Refused and not put right: what others have put there would stay.
 * @throws GodwitError `io` if socket or directory belong to somebody else than this user or root, or others may write
 */
export function requireOwnSocket(socketPath: string): void {
  const user = process.getuid?.();
  if (user === undefined || isNamedPipe(socketPath)) return;
  const directory = path.dirname(socketPath);
  const entries = [directory, socketPath].flatMap((name) => [lstat(name), stat(name)]);
  if (entries.some((entry) => entry && entry.uid !== user && entry.uid !== 0)) {
    throw new GodwitError(
      'io',
      `the control socket ${socketPath} or its directory belongs to another user; ${OTHER_SOCKET}`,
    );
  }
  const mode = stat(directory)?.mode ?? 0;
  if (othersCanReplace(mode)) {
    const open = `the control socket's directory ${directory} can be written by others`;
    throw new GodwitError('io', `${open}; "chmod go-w ${directory}" ends that, or ${OTHER_SOCKET}`);
  }
}

/** Whoever opens it is told why that cannot be. */
function quietly(look: typeof statSync): (name: string) => Stats | undefined {
  return (name) => {
    try {
      return look(name, { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  };
}
const stat = quietly(statSync);
const lstat = quietly(lstatSync);

/** What else to say of a control socket that cannot be used. */
export const OTHER_SOCKET = 'choose another with --socket or GODWIT_SOCKET';

/** Bytes of a Unix socket's path: `sun_path` of the system's `sockaddr_un`, without its closing zero. */
export const SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/**
 * A path that can be no control socket's: the system would say no more of it than EINVAL or ECONNREFUSED.
 * @throws GodwitError `usage` if it is too long, `io` if there is something else
 */
export function requireSocketPath(socketPath: string): void {
  if (isNamedPipe(socketPath)) return;
  const bytes = Buffer.byteLength(socketPath);
  if (bytes > SOCKET_PATH_BYTES) {
    const limit = `the path of a control socket may have ${SOCKET_PATH_BYTES} bytes, and this has ${bytes}`;
    throw new GodwitError('usage', `${limit}: ${socketPath}; ${OTHER_SOCKET}`);
  }
  const found = stat(socketPath);
  if (found && !found.isSocket()) {
    const what = found.isDirectory() ? 'a directory' : 'another file';
    throw new GodwitError('io', `${socketPath} is no control socket but ${what}; ${OTHER_SOCKET}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory is not there',
  ENOTDIR: 'what stands above it is no directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  ELOOP: 'too many symbolic links lead there',
};

/** @param doing what failed. @param error the system's */
export function socketFailure(doing: string, socketPath: string, error: NodeJS.ErrnoException): GodwitError {
  const reason = REASONS[error.code ?? ''] ?? error.code ?? error.message;
  return new GodwitError('io', `cannot ${doing} the control socket ${socketPath}: ${reason}; ${OTHER_SOCKET}`, {
    cause: error,
  });
}
