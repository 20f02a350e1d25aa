/**
 * A file that a command writes at its end. Whether that can work is seen before anything else is done, so that no
 * result is lost for want of a directory.
 */
import fs from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import { hostPath } from '../vfs/host-path.ts';
import { reasonOf } from './report.ts';

/** Names the file for people: what it is for, and as the user wrote it. */
export interface Output {
  readonly what: string;
  readonly given: string;
  readonly absolute: string;
}

const failure = ({ what, given }: Output, reason: string): GodwitError =>
  new GodwitError('io', `cannot write ${what} to ${given}: ${reason}`);

/** Changes nothing: a file of that name keeps what it has until {@link writeOutput}. @throws GodwitError `io` */
export function requireWritable(output: Output): void {
  const { given, absolute } = output;
  const directory = path.dirname(absolute);
  const above = fs.statSync(hostPath(directory), { throwIfNoEntry: false });
  if (!above?.isDirectory()) {
    throw failure(output, `there is no directory ${path.dirname(given)}; make it first, or name another file`);
  }
  const there = fs.statSync(hostPath(absolute), { throwIfNoEntry: false });
  if (there?.isDirectory()) throw failure(output, 'it is a directory; name a file in it');
  try {
    fs.accessSync(hostPath(there ? absolute : directory), fs.constants.W_OK);
  } catch (error) {
    throw failure(output, `${reasonOf(error)}; name another file`);
  }
}

/** @throws GodwitError `io` */
export function writeOutput(output: Output, content: string | Uint8Array): void {
  try {
    fs.writeFileSync(hostPath(output.absolute), content);
  } catch (error) {
    throw failure(output, `${reasonOf(error)}; name another file`);
  }
}
