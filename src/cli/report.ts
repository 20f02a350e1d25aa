/** How a failure is told: one line on stderr, or JSON, and the exit status that goes with it. */
import { ERROR_CODES, type ErrorCode, GodwitError } from '../base/errors.ts';
import { printable } from './format.ts';

/** `Error: EACCES: permission denied, open 'x'` and the like become one of our errors, with their text kept. */
export function asGodwitError(error: unknown): GodwitError | null {
  if (error instanceof GodwitError) return error;
  if (error instanceof Error && 'syscall' in error) return new GodwitError('io', error.message, { cause: error });
  return null;
}

/** One line for people; the message may come from a node, so that control characters are taken out. */
export function errorLine(error: GodwitError): string {
  return `godwit: ${printable(error.message.replaceAll(/[\r\n]+/g, ' '))}`;
}

/** The same for programs: `{"error": {"code", "message"}}`. */
export function errorJson(error: GodwitError): string {
  return JSON.stringify({ error: { code: error.code, message: error.message.toWellFormed() } });
}

/** What another `godwit ... --json` said last on its stderr: its error, or null if that is none of {@link errorJson}'s. */
export function parseErrorJson(line: string): GodwitError | null {
  try {
    const { error } = JSON.parse(line) as { error?: { code?: unknown; message?: unknown } };
    const { code, message } = error ?? {};
    if (typeof code !== 'string' || typeof message !== 'string' || !Object.hasOwn(ERROR_CODES, code)) return null;
    return new GodwitError(code as ErrorCode, message);
  } catch {
    return null;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'it is not there',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the quota of disk space is used up',
  EFBIG: 'the file would be larger than is allowed',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** Why a file operation failed, without the path and the name of the call that Node puts into its messages. */
export function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
