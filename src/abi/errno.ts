/**
 * WASI preview 1 errno values (witx `errno`), in the order of the specification: the position is the number.
 */
const NAMES = [
  'success',
  '2big',
  'acces',
  'addrinuse',
  'addrnotavail',
  'afnosupport',
  'again',
  'already',
  'badf',
  'badmsg',
  'busy',
  'canceled',
  'child',
  'connaborted',
  'connrefused',
  'connreset',
  'deadlk',
  'destaddrreq',
  'dom',
  'dquot',
  'exist',
  'fault',
  'fbig',
  'hostunreach',
  'idrm',
  'ilseq',
  'inprogress',
  'intr',
  'inval',
  'io',
  'isconn',
  'isdir',
  'loop',
  'mfile',
  'mlink',
  'msgsize',
  'multihop',
  'nametoolong',
  'netdown',
  'netreset',
  'netunreach',
  'nfile',
  'nobufs',
  'nodev',
  'noent',
  'noexec',
  'nolck',
  'nolink',
  'nomem',
  'nomsg',
  'noprotoopt',
  'nospc',
  'nosys',
  'notconn',
  'notdir',
  'notempty',
  'notrecoverable',
  'notsock',
  'notsup',
  'notty',
  'nxio',
  'overflow',
  'ownerdead',
  'perm',
  'pipe',
  'proto',
  'protonosupport',
  'prototype',
  'range',
  'rofs',
  'spipe',
  'srch',
  'stale',
  'timedout',
  'txtbsy',
  'xdev',
  'notcapable',
] as const;

export type ErrnoName = (typeof NAMES)[number];

declare const brand: unique symbol;

/** An errno number other than success. */
export type Errno = number & { readonly [brand]: 'Errno' };

/** errno numbers by name: `ERRNO.badf` is 8. `success` (0) is not among them: success is a result, not an error. */
export const ERRNO: Readonly<Record<Exclude<ErrnoName, 'success'>, Errno>> = Object.fromEntries(
  NAMES.slice(1).map((name, index) => [name, index + 1]),
) as Record<Exclude<ErrnoName, 'success'>, Errno>;

/** `8` gives `badf`; a number outside the table gives `errno N`. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}

/** A system call's failure: becomes the errno that the guest gets. */
export class ErrnoError extends Error {
  readonly errno: Errno;

  constructor(errno: Errno) {
    super(errnoName(errno));
    this.name = 'ErrnoError';
    this.errno = errno;
  }
}

/**
 * A number from outside as an errno.
 * @returns null if it is 0 or none of the specification's
 */
export function toErrno(n: number): Errno | null {
  return Number.isInteger(n) && n > 0 && n < NAMES.length ? (n as Errno) : null;
}
