/** How to start this very command again as another operating-system process. */
import { fileURLToPath } from 'node:url';

/** @returns file and arguments for `spawn` */
export function godwitCommand(args: readonly string[]): [file: string, args: string[]] {
  const main = fileURLToPath(new URL('../../bin/main.js', import.meta.url));
  return [process.execPath, [...process.execArgv, main, ...args]];
}
