/**
 * From the operating system's errors, as Node reports them, to WASI errno values.
 *
 * Node gives the name (`ENOENT`), which means the same on every platform; the number does not. The names of the
 * specification are the POSIX names without the E, so the table below only has the ones that are spelt otherwise or
 * that WASI lacks.
 */
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import type { Errno } from '../abi/errno.ts';

/** Names that WASI does not have, by the nearest that it has. */
const OTHER_NAMES: Readonly<Record<string, Errno>> = {
  EWOULDBLOCK: ERRNO.again,
  EOPNOTSUPP: ERRNO.notsup,
  EDEADLOCK: ERRNO.deadlk,
  ESHUTDOWN: ERRNO.pipe,
  EHOSTDOWN: ERRNO.hostunreach,
  ETOOMANYREFS: ERRNO.mfile,
  EUSERS: ERRNO.nfile,
  ENOTBLK: ERRNO.inval,
  EPFNOSUPPORT: ERRNO.afnosupport,
  ESOCKTNOSUPPORT: ERRNO.protonosupport,
  EREMOTEIO: ERRNO.io,
  ENODATA: ERRNO.io,
  ENOMEDIUM: ERRNO.nodev,
  EMEDIUMTYPE: ERRNO.nodev,
  EUCLEAN: ERRNO.io,
  EBADFD: ERRNO.badf,
  EFTYPE: ERRNO.inval,
  EOF: ERRNO.io,
  UNKNOWN: ERRNO.io,
};

const BY_NAME: ReadonlyMap<string, Errno> = new Map([
  ...Object.entries(ERRNO).map(([name, errno]): [string, Errno] => [`E${name.toUpperCase()}`, errno]),
  ...Object.entries(OTHER_NAMES),
]);

/** The name of an operating system's error, null for any other value. */
export function hostErrorCode(error: unknown): string | null {
  // `errno` as well: Node's own argument errors have a `code`, but never a number of the system.
  if (!(error instanceof Error) || !('code' in error) || !('errno' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

/**
 * What a guest gets for an error that an `fs` function has thrown: an ErrnoError, `io` for a name that no table has.
 * An error that is not the operating system's (a bug of ours) comes back as it is.
 */
export function fromHost(error: unknown): unknown {
  const code = hostErrorCode(error);
  return code === null ? error : new ErrnoError(BY_NAME.get(code) ?? ERRNO.io);
}

/** Runs `call` and turns its operating system errors into ErrnoErrors. */
export function host<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromHost(error);
  }
}
