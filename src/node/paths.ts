/** Where Godwit keeps files: the directories that the XDG base directory specification gives, or their like. */
import { mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

const fromEnvironment = (variable: string): string | null => {
  const value = process.env[variable];
  return value !== undefined && path.isAbsolute(value) ? value : null;
};

/** The user's home, or a place in the temporary directory for a user without one. */
function home(): string {
  const directory = homedir();
  return path.isAbsolute(directory) && directory !== '/' ? directory : path.join(tmpdir(), 'godwit');
}

/** What can be made again: rewritten modules. */
export function cacheDirectory(): string {
  return path.join(fromEnvironment('XDG_CACHE_HOME') ?? path.join(home(), '.cache'), 'godwit');
}

/** What must be kept: a node's identity, its membership, its authority. */
export function stateDirectory(): string {
  return path.join(fromEnvironment('XDG_STATE_HOME') ?? path.join(home(), '.local', 'state'), 'godwit');
}

/** Why {@link makePrivateDirectory} failed, in words. @param error what it threw */
export function directoryFailure(error: unknown): string {
  const { code, path: where, message } = error as NodeJS.ErrnoException;
  if (code === undefined || where === undefined) return message;
  return code === 'EEXIST' || code === 'ENOTDIR' ? `${where} is there, and is no directory` : `${where}: ${code}`;
}

/**
 * Makes a directory that only its owner can use, and those above it that are missing. Node's own `recursive` never
 * returns where a directory can be seen but not be made in, such as under /proc.
 * @throws the system's error
 */
export function makePrivateDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = path.dirname(directory);
  if (parent !== directory) makePrivateDirectory(parent);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Someone else was faster.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && statSync(directory).isDirectory()) return;
    throw error;
  }
}
