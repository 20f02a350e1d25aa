/** How a failure is told: one line on stderr, or JSON, and the exit status that goes with it. */
import { GodwitError } from '../base/errors.ts';

/** `Error: EACCES: permission denied, open 'x'` and the like become one of our errors, with their text kept. */
export function asGodwitError(error: unknown): GodwitError | null {
  if (error instanceof GodwitError) return error;
  if (error instanceof Error && 'syscall' in error) return new GodwitError('io', error.message, { cause: error });
  return null;
}

/** One line for people; the message may come from a node, so that control characters are taken out. */
export function errorLine(error: GodwitError): string {
  return `godwit: ${error.message.replaceAll(/[\r\n]+/g, ' ')}`;
}

/** The same for programs: `{"error": {"code", "message"}}`. */
export function errorJson(error: GodwitError): string {
  return JSON.stringify({ error: { code: error.code, message: error.message } });
}
