/** Arguments that several commands take. */
import { GodwitError } from '../base/errors.ts';

/** @throws GodwitError `usage` unless it is a positive number; whether such a process exists is for the node to say */
export function parsePid(text: string): number {
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (pid < 1 || pid > 0x7fff_ffff) throw new GodwitError('usage', `"${text}" is not a pid; "godwit ps" shows them`);
  return pid;
}
