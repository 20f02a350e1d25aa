/**
 * The umask of a program: that of whoever started it, not of the daemon that makes its files.
 *
 * The operating system keeps one for the whole daemon, so it is changed for the time of one call. That touches nothing
 * else: files of a process are made by its home node's main thread, one system call at a time, and what other threads
 * of a daemon make (rewritten modules) is private by its own mode.
 */

/** Permission bits that new files of a program do not get, 0 to LIMITS.umask; null: as in the daemon itself. */
export type Umask = number | null;

/**
 * Carries out `make`, which makes a file or a directory, with that umask. Only on a daemon's main thread: Node lets
 * workers have none of their own.
 */
export function withUmask<T>(umask: Umask, make: () => T): T {
  if (umask === null) return make();
  const own = process.umask(umask);
  try {
    return make();
  } finally {
    process.umask(own);
  }
}
