/** Where Godwit keeps files: the directories that the XDG base directory specification gives, or their like. */
import { mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';

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

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'it is there, and is no directory',
  ENOTDIR: 'it is there, and is no directory',
  ENOENT: 'the system lets none be made there',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the quota of disk space is used up',
  EFBIG: 'the file would be larger than is allowed',
  ENAMETOOLONG: 'the name is too long',
};

/** A file of the state directory that cannot be written. @param error the system's */
export function stateFailure(file: string, error: unknown): GodwitError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const help = 'the node must be able to write there, or choose another directory with --state';
  return new GodwitError('io', `cannot write ${file}: ${REASONS[code] ?? (code || message)}; ${help}`, {
    cause: error,
  });
}

/**
 * Why {@link makePrivateDirectory} failed, in words; one above the directory is named.
 * @param error what it threw
 */
export function directoryFailure(directory: string, error: unknown): string {
  const { code = '', path: where, message } = error as NodeJS.ErrnoException;
  const reason = REASONS[code] ?? (code || message);
  return where === undefined || where === directory ? reason : `${where}: ${reason}`;
}

/** Group and others may write; and the mark of directories such as /tmp, where all the same each has his own files. */
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** Whether others may put their files in the place of those of a directory. @param mode of the directory */
export function othersCanReplace(mode: number): boolean {
  return process.platform !== 'win32' && (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0;
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
