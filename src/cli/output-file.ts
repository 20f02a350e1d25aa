/**
 * A file that a command writes at its end. Whether that can work is seen before anything else is done, so that no
 * result is lost for want of a directory; and what the file holds stays until all that replaces it is on the disk.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import { encodeOsText } from '../base/os-text.ts';
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

/**
 * Changes nothing: a file of that name keeps what it has until {@link writeOutput}.
 * @param program the path of what the command reads, which must be another file
 * @throws GodwitError `io`, `usage` if it is the program
 */
export function requireWritable(output: Output, program: string): void {
  const { what, given, absolute } = output;
  const directory = path.dirname(absolute);
  const above = fs.statSync(hostPath(directory), { throwIfNoEntry: false });
  if (!above?.isDirectory()) {
    throw failure(output, `there is no directory ${path.dirname(given)}; make it first, or name another file`);
  }
  const there = fs.statSync(hostPath(absolute), { throwIfNoEntry: false, bigint: true });
  if (there?.isDirectory()) throw failure(output, 'it is a directory; name a file in it');
  const read = fs.statSync(hostPath(program), { throwIfNoEntry: false, bigint: true });
  // Not by name: a link is the same file too.
  if (there && read && there.dev === read.dev && there.ino === read.ino) {
    throw new GodwitError('usage', `cannot write ${what} to ${given}: it is the program itself; name another file`);
  }
  try {
    fs.accessSync(hostPath(there ? absolute : directory), fs.constants.W_OK);
  } catch (error) {
    throw failure(output, `${reasonOf(error)}; name another file`);
  }
}

/**
 * Writes all or nothing where a file can be made beside it; in place otherwise, and to what is no regular file.
 * @throws GodwitError `io`
 */
export function writeOutput(output: Output, content: string | Uint8Array): void {
  try {
    const replaceable = replaceableFile(output.absolute);
    if (replaceable === null || !replaced(replaceable, content)) fs.writeFileSync(hostPath(output.absolute), content);
  } catch (error) {
    throw failure(output, `${reasonOf(error)}; name another file`);
  }
}

interface Replaceable {
  /** Behind all links, as node:fs takes it. */
  readonly file: Buffer;
  /** What is there; null: nothing. */
  readonly there: fs.Stats | null;
}

/** @returns null for a pipe, a device and a link that leads nowhere: there nothing can be lost */
function replaceableFile(absolute: string): Replaceable | null {
  const there = fs.statSync(hostPath(absolute), { throwIfNoEntry: false }) ?? null;
  if (there === null) {
    const isLink = fs.lstatSync(hostPath(absolute), { throwIfNoEntry: false });
    return isLink ? null : { file: Buffer.from(encodeOsText(absolute)), there };
  }
  return there.isFile() ? { file: fs.realpathSync.native(hostPath(absolute), 'buffer'), there } : null;
}

/** No file can be made there, have this owner, or take this one's place, because it is mounted by itself. */
const NOT_BESIDE: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV']);

/** @returns false if that cannot be done, and nothing has changed */
function replaced({ file, there }: Replaceable, content: string | Uint8Array): boolean {
  const directory = file.subarray(0, file.lastIndexOf(path.sep) + 1);
  // Not made from the file's name, which may be as long as names can be.
  const temporary = Buffer.concat([directory, Buffer.from(`.godwit-${randomUUID()}`)]);
  try {
    // Flushed: some file systems find out only then that there is no room.
    fs.writeFileSync(temporary, content, { flag: 'wx', flush: true });
    if (there !== null) {
      fs.chownSync(temporary, there.uid, there.gid);
      fs.chmodSync(temporary, there.mode & 0o777);
    }
    fs.renameSync(temporary, file);
    return true;
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    if (NOT_BESIDE.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}
