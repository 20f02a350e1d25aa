/**
 * A directory of the host that is open, and all that preview 1 does with paths relative to it. Paths are resolved by
 * vfs/resolve.ts; every operation is then one system call on a single name in a directory that is held, and none that
 * follows a link: what happens on the host between the two can make the call fail, but cannot lead it elsewhere.
 */
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import type { DirEntry, FileStat } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import type { Waiting } from '../base/waiting.ts';
import { checkAdvice } from './advice.ts';
import { fileStatOf } from './filestat.ts';
import { host } from './hosterror.ts';
import { CHANGED, checkOptions, IS_DIRECTORY, openFound } from './hostopen.ts';
import { entriesFrom, listNames } from './listing.ts';
import type { Directory, NewTime, OpenFile, OpenOptions, Readiness, Settled } from './openfile.ts';
import { resolve } from './resolve.ts';
import type { Follow, Found } from './resolve.ts';
import type { Spot } from './spot.ts';
import { synchronise } from './sync.ts';
import { setPathTimes } from './times.ts';
import { type Umask, withUmask } from './umask.ts';

/** rmdir(2) tells them apart: `.` is `inval`, while what `..` names cannot be empty. */
const ENDS_IN_DOT_DOT = /(?:^|\/)\.\.\/*$/;

function refuse(errno: keyof typeof ERRNO): never {
  throw new ErrnoError(ERRNO[errno]);
}

/** A name in a directory that a call is to create, remove or rename; `.` and `..` are none. */
function nameOrRefuse(found: Found, errno: keyof typeof ERRNO): asserts found is Found & { readonly name: string } {
  if (found.name === null) refuse(errno);
}

/** What is there, if it agrees with a slash behind the path. */
function existing(found: Found): NonNullable<Found['stats']> {
  const { stats, slash } = found;
  if (stats === undefined) return refuse('noent');
  if (slash && !stats.isDirectory()) refuse('notdir');
  return stats;
}

export class HostDirectory implements Directory {
  readonly filetype = FileType.directory;
  readonly hostFd = null;
  flags = 0;
  readonly #spot: Spot;
  /** Given to the process, not opened below such a one: its own parent, as the root of a system is. */
  readonly #given: boolean;
  readonly #umask: Umask;
  /** The listing that cookies refer to. */
  #names: readonly string[] | null = null;

  /** @param spot belongs to the object now @param umask of what is made in it and below */
  constructor(spot: Spot, umask: Umask, given = true) {
    this.#spot = spot;
    this.#umask = umask;
    this.#given = given;
  }

  open(path: string, options: OpenOptions): OpenFile {
    checkOptions(options);
    const follow = followedBy(options);
    for (let attempt = 0; attempt < LIMITS.resolutions; attempt++) {
      const opened = resolve(this.#spot, path, follow, (found) => {
        const file = openFound(found, options, this.#umask);
        return file === IS_DIRECTORY ? this.#openDirectory(found, options.flags) : file;
      });
      if (opened !== CHANGED) return opened;
    }
    return refuse('again');
  }

  #openDirectory({ spot, name }: Found, flags: number): HostDirectory {
    const entered = name === null ? spot.again() : spot.enter(name);
    const [own, other] = [this.#spot.stat(), entered.stat()];
    const opened = new HostDirectory(
      entered,
      this.#umask,
      this.#given && own.ino === other.ino && own.dev === other.dev,
    );
    opened.flags = flags;
    return opened;
  }

  *entries(cookie: bigint): Generator<DirEntry> {
    if (cookie === 0n) this.#names = null;
    this.#names ??= listNames(this.#spot);
    yield* entriesFrom(this.#spot, this.#names, cookie, this.#given);
  }

  makeDirectory(path: string): void {
    this.#resolve(path, 'never', (found) => {
      nameOrRefuse(found, 'exist');
      host(() => withUmask(this.#umask, () => mkdirSync(found.path)));
    });
  }

  removeDirectory(path: string): void {
    this.#resolve(path, 'never', (found) => {
      nameOrRefuse(found, ENDS_IN_DOT_DOT.test(path) ? 'notempty' : 'inval');
      host(() => rmdirSync(found.path));
    });
  }

  unlink(path: string): void {
    this.#resolve(path, 'never', (found) => {
      nameOrRefuse(found, 'isdir');
      // Before the system is asked: macOS says `perm`, and a superuser of some systems would succeed.
      if (existing(found).isDirectory()) refuse('isdir');
      host(() => unlinkSync(found.path));
    });
  }

  statPath(path: string, followFinalLink: boolean): FileStat {
    return this.#resolve(path, followFinalLink ? 'always' : 'bySlash', (found) => fileStatOf(existing(found)));
  }

  setPathTimes(path: string, followFinalLink: boolean, atim: NewTime, mtim: NewTime): void {
    this.#resolve(path, followFinalLink ? 'always' : 'bySlash', (found) => {
      existing(found);
      // A link found here is not to be followed; the directory itself can only be reached by following its path.
      setPathTimes(found.path, found.name === null, atim, mtim);
    });
  }

  readLink(path: string): Uint8Array {
    return this.#resolve(path, 'bySlash', (found) => {
      if (!existing(found).isSymbolicLink()) refuse('inval');
      return host(() => readlinkSync(found.path, { encoding: 'buffer' }));
    });
  }

  /** An absolute target is refused, as in wasmtime: no guest could follow it, only a program of the host. */
  symlink(target: string, path: string): void {
    if (target === '') refuse('noent');
    if (target.startsWith('/')) refuse('perm');
    this.#resolve(path, 'never', (found) => {
      nameOrRefuse(found, 'exist');
      refuseSlashOnNew(found);
      host(() => symlinkSync(target, found.path));
    });
  }

  /** @throws ErrnoError as link(2); `xdev` if `to` is not a directory of the host */
  link(path: string, followFinalLink: boolean, to: Directory, toPath: string): void {
    const target = hostDirectory(to);
    this.#resolve(path, followFinalLink ? 'always' : 'bySlash', (from) => {
      const isDirectory = existing(from).isDirectory();
      resolve(target.#spot, toPath, 'never', (found) => {
        nameOrRefuse(found, 'exist');
        refuseSlashOnNew(found);
        // Linux looks at both names before it says that a directory can have just one.
        if (isDirectory) refuse(found.stats === undefined ? 'perm' : 'exist');
        host(() => linkSync(from.path, found.path));
      });
    });
  }

  /** @throws ErrnoError as rename(2); `xdev` if `to` is not a directory of the host */
  rename(path: string, to: Directory, toPath: string): void {
    const target = hostDirectory(to);
    this.#resolve(path, 'never', (from) => {
      resolve(target.#spot, toPath, 'never', (found) => {
        nameOrRefuse(from, 'busy');
        nameOrRefuse(found, 'busy');
        if (!existing(from).isDirectory() && found.slash) refuse('notdir');
        host(() => renameSync(from.path, found.path));
      });
    });
  }

  #resolve<T>(path: string, follow: Follow, use: (found: Found) => T): T {
    return resolve(this.#spot, path, follow, use);
  }

  read(): never {
    return refuse('isdir');
  }

  write(): never {
    return refuse('badf');
  }

  /** There is no position: a listing is continued by cookies. */
  seek(): never {
    return refuse('isdir');
  }

  stat(): FileStat {
    return fileStatOf(this.#spot.stat());
  }

  /** Flags concern reads and writes, which a directory does not have. */
  setFlags(flags: number): void {
    this.flags = flags;
  }

  setSize(): never {
    return refuse('inval');
  }

  setTimes(atim: NewTime, mtim: NewTime): void {
    setPathTimes(this.#spot.path, true, atim, mtim);
  }

  allocate(): never {
    return refuse('badf');
  }

  advise(offset: bigint, length: bigint, advice: number): void {
    checkAdvice(offset, length, advice);
  }

  sync(): Waiting<Settled<void>> {
    // The spot's own descriptor is for looking up names only.
    const fd = host(() => openSync(`${this.#spot.path}/`, 'r'));
    return synchronise(fd, false, () => closeSync(fd));
  }

  poll(): Readiness {
    return { bytes: 0n, hangup: false };
  }

  close(): void {
    this.#names = null;
    this.#spot.close();
  }
}

/** What is to be created anew, a link is in the way of; a slash behind it is refused whatever is there. */
function followedBy({ create, exclusive, followFinalLink }: OpenOptions): Follow {
  if (!create) return followFinalLink ? 'always' : 'bySlash';
  return followFinalLink && !exclusive ? 'untilSlash' : 'never';
}

/** A name to be made may have a slash behind it only if a directory is made. */
function refuseSlashOnNew({ stats, slash }: Found): void {
  if (slash) refuse(stats === undefined ? 'noent' : 'exist');
}

function hostDirectory(directory: Directory): HostDirectory {
  return directory instanceof HostDirectory ? directory : refuse('xdev');
}
