/** Where a node's control socket is: said by the user, or in the user's runtime directory. */
import { lstatSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';

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
 * In a temporary directory that everyone may write to, another user could have made our directory first, and the
 * commands would speak to that user's node.
 * @throws GodwitError `io` if the socket's directory belongs to somebody else than this user or root
 */
export function requireOwnDirectory(socketPath: string): void {
  const user = process.getuid?.();
  if (user === undefined || isNamedPipe(socketPath)) return;
  const directory = path.dirname(socketPath);
  const owner = lstatSync(directory, { throwIfNoEntry: false })?.uid;
  if (owner !== undefined && owner !== user && owner !== 0) {
    throw new GodwitError(
      'io',
      `the control socket's directory ${directory} belongs to another user; choose another --socket`,
    );
  }
}

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
  let found;
  try {
    found = statSync(socketPath, { throwIfNoEntry: false });
  } catch {
    // Whoever opens it is told why that cannot be.
    return;
  }
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
