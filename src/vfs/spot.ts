/**
 * A host directory that is held while something is done in it. Node has no openat, mkdirat and so on; a name is
 * appended to the spot's `path` instead.
 *
 * On Linux the spot holds a descriptor and its path is `/proc/self/fd/N`, which the kernel resolves to the directory
 * itself, not to its name: `/proc/self/fd/N/x` is openat(N, "x"), wherever the directory has been moved meanwhile.
 *
 * Elsewhere the path is the directory's real name. That is weaker: someone else on the host who replaces a directory
 * by a link between the check of one component and the use of the next can lead the guest out of its directory, and a
 * directory that is renamed is lost. A guest cannot do this by itself: its calls are carried out one after the other.
 */
import { closeSync, constants, existsSync, lstatSync, openSync, realpathSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { hostPath } from './host-path.ts';
import { host } from './hosterror.ts';

export interface Spot {
  /** What `/name` is appended to. The path itself, without a name, follows to the directory. */
  readonly path: string;
  /**
   * The directory of that name in this one.
   * @param name one component: not empty, without slash, not `.` or `..`
   * @throws ErrnoError `notdir` if it is anything else, a symbolic link included; `noent`, `acces`, …
   */
  enter(name: string): Spot;
  /** The same directory, held independently. */
  again(): Spot;
  stat(): BigIntStats;
  close(): void;
}

/** Linux: a handle for looking up names only; needs no permission to read the directory. Not among Node's constants. */
const O_PATH = 0o10000000;

class HeldSpot implements Spot {
  readonly path: string;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.path = `/proc/self/fd/${fd}`;
  }

  enter(name: string): Spot {
    const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return new HeldSpot(host(() => openSync(`${this.path}/${name}`, flags)));
  }

  again(): Spot {
    return new HeldSpot(host(() => openSync(this.path, O_PATH | constants.O_DIRECTORY)));
  }

  stat(): BigIntStats {
    return host(() => statSync(this.path, { bigint: true }));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

class NamedSpot implements Spot {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  enter(name: string): Spot {
    const path = `${this.path}/${name}`;
    if (!host(() => lstatSync(path)).isDirectory()) throw new ErrnoError(ERRNO.notdir);
    return new NamedSpot(path);
  }

  again(): Spot {
    return new NamedSpot(this.path);
  }

  stat(): BigIntStats {
    return host(() => statSync(this.path, { bigint: true }));
  }

  close(): void {}
}

/** Whether directories can be held by descriptor here. */
export const canHold: boolean = process.platform === 'linux' && existsSync('/proc/self/fd');

/**
 * The directory of that name on the host; links in the name are followed, since it is the user's, not the guest's.
 * @param held false forces the weaker way that other systems than Linux have to take
 * @throws the error of the operating system as Node reports it
 */
export function openSpot(name: string, held: boolean = canHold): Spot {
  if (held) return new HeldSpot(openSync(hostPath(name), O_PATH | constants.O_DIRECTORY));
  const path = realpathSync(hostPath(name));
  if (!statSync(path).isDirectory()) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR', errno: -20 });
  // `//name` means something else on some systems.
  return new NamedSpot(path === '/' ? '/.' : path);
}
