/** Where a node's control socket is: said by the user, or in the user's runtime directory. */
import { lstatSync } from 'node:fs';
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
