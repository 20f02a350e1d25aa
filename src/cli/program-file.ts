/**
 * The program file that a command names, looked at before anything is done with it: each mistake is told with what was
 * probably meant. Opening it is left to whoever runs it, for the node may have other rights.
 */
import fs from 'node:fs';
import path from 'node:path';
import { type ErrorCode, GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { hostPath } from '../vfs/host-path.ts';
import { reasonOf } from './report.ts';
import { nearest } from './suggest.ts';

/** Where a file cannot even be looked at. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  EACCES: 'the directories above it must let you in',
  ELOOP: 'give the path of the file itself',
};

/**
 * @param purpose what the command wants with it, for the message
 * @param given as the user wrote it
 * @param absolute the same file
 * @throws GodwitError `not_found` or `not_runnable`, with the way out
 */
export function requireProgramFile(purpose: 'run' | 'read', given: string, absolute: string): void {
  const refuse = (code: ErrorCode, reason: string): never => {
    throw new GodwitError(code, `cannot ${purpose} ${given === '' ? '""' : given}: ${reason}`);
  };
  if (given === '') refuse('not_found', 'that is no name; give the path of a .wasm file');
  let stat: fs.Stats;
  try {
    stat = fs.statSync(hostPath(absolute));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return refuse('not_found', meant(given, absolute));
    return refuse('not_runnable', `${reasonOf(error)}; ${WAYS_OUT[code ?? ''] ?? 'check the path'}`);
  }
  if (stat.isDirectory()) refuse('not_runnable', `it is a directory; ${within(given, absolute)}`);
  // A pipe or a device might never end.
  if (!stat.isFile()) refuse('not_runnable', 'it is no regular file; give one that holds the program');
  if (stat.size > LIMITS.moduleBytes) {
    const most = `a program may have ${LIMITS.moduleBytes}`;
    refuse('not_runnable', `it has ${stat.size} bytes, and ${most}; build it without debug information`);
  }
  try {
    fs.accessSync(hostPath(absolute), fs.constants.R_OK);
  } catch (error) {
    refuse('not_runnable', `${reasonOf(error)}; "chmod u+r" by its owner gives it`);
  }
}

function programsIn(directory: string): string[] | null {
  try {
    return fs.readdirSync(hostPath(directory), 'utf8').filter((name) => name.endsWith('.wasm'));
  } catch {
    return null;
  }
}

/** That there is no such file, and the program beside it whose name is nearest. */
function meant(given: string, absolute: string): string {
  const programs = programsIn(path.dirname(absolute));
  if (programs === null) return `there is no directory ${path.dirname(given)}; check the path`;
  const near = nearest(path.basename(absolute), programs);
  if (near !== null) return `there is no such file; did you mean ${path.join(path.dirname(given), near)}?`;
  return path.isAbsolute(given)
    ? 'there is no such file; check the path'
    : `there is no such file in ${path.resolve(path.dirname(absolute))}; check the path`;
}

function within(given: string, absolute: string): string {
  const [first] = programsIn(absolute) ?? [];
  return first === undefined
    ? 'give the path of a .wasm file'
    : `give a file in it, such as ${path.join(given, first)}`;
}
