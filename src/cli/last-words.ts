/** What a `godwit up --json` that we started said last, from the file that its stderr went to. */
import { existsSync, readFileSync } from 'node:fs';
import { GodwitError } from '../base/errors.ts';
import { parseErrorJson } from './report.ts';

/** An error's own line, not the stack under it. */
const ERROR_LINE = /^godwit: |Error\b.*: /;

/** @returns its own error where it said one; otherwise the line that tells most; null if it said nothing */
export function lastWords(file: string): GodwitError | null {
  // A lab that was stopped has removed the file.
  if (!existsSync(file)) return null;
  const lines = readFileSync(file, 'utf8').split('\n');
  const json = lines.map(parseErrorJson).findLast((error) => error !== null);
  if (json) return json;
  const words = lines.findLast((line) => ERROR_LINE.test(line)) ?? lines.findLast((line) => line.trim() !== '');
  return words === undefined ? null : new GodwitError('internal', words.replace(/^godwit: /, ''));
}
