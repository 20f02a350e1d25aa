/**
 * A file that a command writes at its end. Whether that can work is seen before anything else is done, so that no
 * result is lost for want of a directory; and what the file holds stays until all that replaces it is on the disk.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import { decodeOsText } from '../base/os-text.ts';
import { hostPath } from '../vfs/host-path.ts';
import { nativeCalls } from '../vfs/native.ts';
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
 * @param program the path of what the command reads, which must be another file, and has been looked at already: what
 *   fails here is told of the output
 * @throws GodwitError `io`, `usage` if it is the program
 */
export function requireWritable(output: Output, program: string): void {
  try {
    lookAt(output, program);
  } catch (error) {
    throw error instanceof GodwitError ? error : failure(output, `${reasonOf(error)}; name another file`);
  }
}

function lookAt(output: Output, program: string): void {
  const { what, given, absolute } = output;
  const directory = path.dirname(absolute);
  if (!statOf(directory)?.isDirectory()) {
    throw failure(output, `there is no directory ${path.dirname(given)}; make it first, or name another file`);
  }
  const there = statOf(absolute);
  if (there?.isDirectory()) throw failure(output, 'it is a directory; name a file in it');
  // Not by name: a link is the same file too.
  if (there && isSame(there, statOf(program))) {
    throw new GodwitError('usage', `cannot write ${what} to ${given}: it is the program itself; name another file`);
  }
  fs.accessSync(hostPath(there ? absolute : directory), fs.constants.W_OK);
}

const statOf = (file: string): fs.BigIntStats | undefined =>
  fs.statSync(hostPath(file), { throwIfNoEntry: false, bigint: true });

const isSame = (one: fs.BigIntStats, other: fs.BigIntStats | undefined): boolean =>
  one.dev === other?.dev && one.ino === other.ino;

/**
 * Writes all or nothing where a file can be made beside it; in place otherwise, to what is no regular file, and to a
 * file with further names, an access list or attributes of its user, which the one that replaces it would not have. To a file that a descriptor of this command has open, it writes after what is there.
 * @throws GodwitError `io`
 */
export function writeOutput(output: Output, content: string | Uint8Array): void {
  try {
    const way = wayTo(output.absolute);
    if (way.by === 'adding') fs.writeFileSync(way.to, content, { flag: 'a' });
    else if (way.by === 'writing' || !replaced(way, content)) fs.writeFileSync(hostPath(output.absolute), content);
  } catch (error) {
    throw failure(output, `${reasonOf(error)}; name another file`);
  }
}

type Way = Replacing | { readonly by: 'writing' } | { readonly by: 'adding'; readonly to: number | string | Buffer };

interface Replacing {
  readonly by: 'replacing';
  /** Behind all links. */
  readonly file: string;
  /** What is there; null: nothing. */
  readonly there: fs.BigIntStats | null;
}

function wayTo(absolute: string): Way {
  const there = statOf(absolute);
  if (there === undefined) {
    // A link that leads nowhere stays one.
    const isLink = fs.lstatSync(hostPath(absolute), { throwIfNoEntry: false });
    return isLink ? { by: 'writing' } : { by: 'replacing', file: absolute, there: null };
  }
  if (!there.isFile()) return { by: 'writing' };
  // Who gave it to this command goes on writing to the file that it has open. A second opening would not move its place.
  const own = OWN.find((descriptor) => isSame(there, openAs(descriptor)));
  if (own !== undefined) return { by: 'adding', to: own };
  const file = behindLinks(absolute);
  if (file === null) return { by: 'adding', to: hostPath(absolute) };
  return there.nlink === 1n && !hasAttributes(file) ? { by: 'replacing', file, there } : { by: 'writing' };
}

/** What files have beside owner and mode that a user has given them; security labels and the like new files get too. */
const ATTRIBUTES = /(?:^|\0)(?:user\.|system\.posix_acl_access\0)/;
/** XATTR_LIST_MAX of Linux. */
const NAMES_BYTES = 65_536;

/** Whether it has attributes that only it has; false where the system cannot be asked. */
function hasAttributes(file: string): boolean {
  const system = nativeCalls();
  if (system === null) return false;
  let fd: number;
  try {
    fd = fs.openSync(hostPath(file), fs.constants.O_WRONLY);
  } catch {
    // Such as a program that is being executed: it cannot be written in place.
    return false;
  }
  const names = Buffer.alloc(NAMES_BYTES);
  const length = Number(system.flistxattr(fd, names, BigInt(NAMES_BYTES)));
  fs.closeSync(fd);
  return ATTRIBUTES.test(names.toString('latin1', 0, Math.max(0, length)));
}

/** Standard output and error. The file that standard input reads is better replaced: its reader keeps what it has. */
const OWN = [1, 2];

function openAs(descriptor: number): fs.BigIntStats | undefined {
  try {
    return fs.fstatSync(descriptor, { bigint: true });
  } catch {
    // Closed.
    return undefined;
  }
}

/** Where descriptors have names, which look like links to the name that the file once had: not /dev/shm. */
const DESCRIPTORS = /^\/(?:proc|dev\/fd)(?:\/|$)/;
/** As many as Linux follows. */
const MAX_LINKS = 40;

/** @returns the path without links in it; null if the file is reached through a descriptor, or has gone meanwhile */
function behindLinks(absolute: string): string | null {
  let at = absolute;
  try {
    for (let links = 0; links <= MAX_LINKS; links++) {
      const directory = decodeOsText(fs.realpathSync.native(hostPath(path.dirname(at)), 'buffer'));
      if (DESCRIPTORS.test(directory)) return null;
      at = path.join(directory, path.basename(at));
      if (!fs.lstatSync(hostPath(at)).isSymbolicLink()) return at;
      at = path.resolve(directory, decodeOsText(fs.readlinkSync(hostPath(at), 'buffer')));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return null;
}

/** No file can be made there, have this owner, or take this one's place, because it is mounted by itself. */
const NOT_BESIDE: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV']);

/** @returns false if that cannot be done, and nothing has changed */
function replaced({ file, there }: Replacing, content: string | Uint8Array): boolean {
  // Not made from the file's name, which may be as long as names can be.
  const temporary = hostPath(path.join(path.dirname(file), `.godwit-${randomUUID()}`));
  try {
    // Flushed: some file systems find out only then that there is no room.
    // Nobody else reads it before it has the mode of what it replaces.
    fs.writeFileSync(temporary, content, { flag: 'wx', flush: true, mode: there === null ? 0o666 : 0o600 });
    if (there !== null) {
      fs.chownSync(temporary, Number(there.uid), Number(there.gid));
      fs.chmodSync(temporary, Number(there.mode & 0o777n));
    }
    fs.renameSync(temporary, hostPath(file));
    return true;
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    if (NOT_BESIDE.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}
