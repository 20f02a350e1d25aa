/**
 * Calls of the operating system for which Node has no function, or only one that loses something, by `node:ffi` where
 * that is there: Node 26 and later, on 64-bit Linux. Whoever uses them has another way for where they are missing.
 */

/** Each gives -1 if it has failed; why cannot be asked, so that the caller has to know or to try the other way. */
export interface NativeCalls {
  /** lseek(2), a bigint */
  readonly lseek: (fd: number, offset: bigint, whence: number) => unknown;
  /** futimens(2), 0. @param times two `struct timespec` */
  readonly futimens: (fd: number, times: Uint8Array) => unknown;
  /** utimensat(2), 0 */
  readonly utimensat: (directory: number, path: string, times: Uint8Array, flags: number) => unknown;
  /** fallocate(2), 0; unlike glibc's posix_fallocate it never writes where the file system cannot allocate. */
  readonly fallocate: (fd: number, mode: number, offset: bigint, length: bigint) => unknown;
  /** flistxattr(2), a bigint: how many bytes `names` has got. @param names for names of attributes, each with a NUL behind it */
  readonly flistxattr: (fd: number, names: Uint8Array, size: bigint) => unknown;
}

/** The part of `node:ffi` that is used here; Node's type package does not have it yet. */
interface Ffi {
  readonly DynamicLibrary: new (path: null) => {
    getFunction(
      name: string,
      signature: { readonly return: string; readonly arguments: readonly string[] },
    ): (...values: readonly unknown[]) => unknown;
  };
}

/** Where the argument types below, and the constants of those who call, are known to be right. */
const KNOWN_ABI = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

let loaded: NativeCalls | null | undefined;

/** The system's own calls, or null where they cannot be had. */
export function nativeCalls(): NativeCalls | null {
  // Once, whatever comes of it.
  if (loaded === undefined) loaded = KNOWN_ABI ? load() : null;
  return loaded;
}

function load(): NativeCalls | null {
  // An experimental module warns on stderr when it is loaded, in the middle of the user's output. That it is
  // experimental is dealt with here: whatever is different from what is expected leads to the way without it.
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => {};
  try {
    const ffi = (process.getBuiltinModule as (name: string) => unknown)('node:ffi') as Ffi | undefined;
    if (ffi === undefined) return null;
    const system = new ffi.DynamicLibrary(null);
    const call = (result: string, name: string, ...parameters: readonly string[]) =>
      system.getFunction(name, { return: result, arguments: parameters });
    return {
      lseek: call('int64', 'lseek', 'int32', 'int64', 'int32'),
      futimens: call('int32', 'futimens', 'int32', 'buffer'),
      utimensat: call('int32', 'utimensat', 'int32', 'string', 'buffer', 'int32'),
      fallocate: call('int32', 'fallocate', 'int32', 'int32', 'int64', 'int64'),
      flistxattr: call('int64', 'flistxattr', 'int32', 'buffer', 'uint64'),
    };
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}
