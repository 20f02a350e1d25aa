/**
 * Path resolution below a directory: the guest's path is walked component by component, each directory on the way is
 * held (vfs/spot.ts), and every symbolic link is expanded here, never by the operating system. So a path cannot leave
 * the directory that it is relative to, whatever links there are and whoever moves things about meanwhile:
 *
 * - absolute paths and absolute links are refused with `perm`, as wasmtime does;
 * - `..` goes back to the directory that the walk came through, and is refused with `perm` in the first one.
 *
 * Specification: WASI, docs/Design notes on path resolution; POSIX 4.16 Pathname Resolution.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { decodePath } from '../abi/decode.ts';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { LIMITS } from '../base/limits.ts';
import { fromHost, host, hostErrorCode } from './hosterror.ts';
import type { Spot } from './spot.ts';

/** What a path names. */
export interface Found {
  /** The directory that the last component is in. Held until the use ends. */
  readonly spot: Spot;
  /** The last component; null if the path ends in `.` or `..` and so names `spot` itself. */
  readonly name: string | null;
  /** The host's path for `name` in `spot`: never a link to be followed by the system, see the callers. */
  readonly path: string;
  /** What is there (not followed if it is a link); undefined if there is nothing. */
  readonly stats: BigIntStats | undefined;
  /** The path has a slash behind it and means a directory. */
  readonly slash: boolean;
}

/**
 * What happens to a symbolic link as the last component: `always` followed, followed only `bySlash` behind it (calls
 * that look something up), only `untilSlash` is behind it or a link before it (opening what may have to be created,
 * which a slash forbids), or `never` (calls that create or remove a name).
 */
export type Follow = 'always' | 'bySlash' | 'untilSlash' | 'never';

/**
 * Resolves `path` and calls `use` with what it names; the directories on the way are let go when `use` returns.
 * @throws ErrnoError `noent` for an empty path and for a missing directory on the way, `perm` for a path that leaves
 *   `root`, `notdir`, `loop` for more than LIMITS.symlinks links, `nametoolong`, `acces`, `ilseq` for a link that is
 *   not UTF-8
 */
export function resolve<T>(root: Spot, path: string, follow: Follow, use: (found: Found) => T): T {
  const walk = new Walk(root);
  try {
    return use(walk.run(path, follow));
  } finally {
    walk.end();
  }
}

class Walk {
  readonly #root: Spot;
  /** The directories entered, from below the root to the current one. */
  readonly #entered: Spot[] = [];
  /** Components to come, the next one last. */
  readonly #todo: string[] = [];
  #links = 0;
  #slash = false;

  constructor(root: Spot) {
    this.#root = root;
  }

  get #spot(): Spot {
    return this.#entered.at(-1) ?? this.#root;
  }

  run(path: string, follow: Follow): Found {
    this.#expand(path);
    for (;;) {
      const name = this.#todo.pop();
      if (name === undefined) return this.#found(null);
      if (name === '.') continue;
      if (name === '..') this.#leave();
      else if (this.#todo.length > 0) this.#enter(name);
      else {
        const found = this.#found(name);
        const followed = follow === 'always' || follow === (this.#slash ? 'bySlash' : 'untilSlash');
        if (!followed || found.stats?.isSymbolicLink() !== true) return found;
        this.#follow(name);
      }
    }
  }

  end(): void {
    for (const spot of this.#entered) spot.close();
  }

  #found(name: string | null): Found {
    const spot = this.#spot;
    if (name === null) return { spot, name, path: spot.path, stats: spot.stat(), slash: true };
    const path = `${spot.path}/${name}`;
    const stats = host(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
    return { spot, name, path, stats, slash: this.#slash };
  }

  #leave(): void {
    const left = this.#entered.pop();
    if (left === undefined) throw new ErrnoError(ERRNO.perm);
    left.close();
  }

  #enter(name: string): void {
    try {
      this.#entered.push(this.#spot.enter(name));
    } catch (error) {
      if (!(error instanceof ErrnoError && error.errno === ERRNO.notdir)) throw error;
      this.#follow(name);
    }
  }

  /** @throws ErrnoError `notdir` if it is no link (any more): then it is in the way of what comes behind it */
  #follow(name: string): void {
    if (++this.#links > LIMITS.symlinks) throw new ErrnoError(ERRNO.loop);
    let target: Uint8Array;
    try {
      target = readlinkSync(`${this.#spot.path}/${name}`, { encoding: 'buffer' });
    } catch (error) {
      throw hostErrorCode(error) === 'EINVAL' ? new ErrnoError(ERRNO.notdir) : fromHost(error);
    }
    this.#expand(decodePath(target));
  }

  /** Puts a path in front of what is still to come. */
  #expand(path: string): void {
    if (path === '') throw new ErrnoError(ERRNO.noent);
    if (path.startsWith('/')) throw new ErrnoError(ERRNO.perm);
    if (this.#todo.length === 0 && path.endsWith('/')) this.#slash = true;
    const names = path.split('/');
    for (let i = names.length - 1; i >= 0; i--) {
      const name = names[i];
      if (name !== undefined && name !== '') this.#todo.push(name);
    }
  }
}
