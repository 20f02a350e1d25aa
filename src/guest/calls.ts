/**
 * The functions that a guest imports: each carries its call out in the thread itself where the table allows it, and
 * otherwise hands it to the main thread. Any of them may leave by unwinding; the engine then makes the same import
 * call again when the process goes on, here or elsewhere.
 */
import { decodeArgs, type Raw } from '../abi/decode.ts';
import { encodeResults, stringSizes, writeStrings } from '../abi/encode.ts';
import { type Errno, ErrnoError } from '../abi/errno.ts';
import type { Args, Results } from '../abi/kinds.ts';
import { CALL_NAMES, PREVIEW1, type Preview1Name } from '../abi/preview1.ts';
import type { DirectFile } from '../vfs/direct.ts';
import type { ControlBlock } from './control.ts';
import type { AllowedCalls, DescriptorTable } from './descriptors.ts';
import { type GuestClocks, GuestExit, type Machinery } from './local.ts';

type ArgsOf<N extends Preview1Name> = Args<(typeof PREVIEW1)[N]>;
type ResultsOf<N extends Preview1Name> = Results<(typeof PREVIEW1)[N]>;
type NamesThat<W extends 'here' | 'descriptor'> = {
  [N in Preview1Name]: (typeof PREVIEW1)[N]['runs'] extends W ? N : never;
}[Preview1Name];

export type HereName = NamesThat<'here'>;
export type DirectName = NamesThat<'descriptor'>;

export interface RunningProcess {
  readonly clocks: GuestClocks;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
}

/** What the imports of one thread work with. */
export interface CallEnvironment {
  readonly memory: WebAssembly.Memory;
  readonly control: ControlBlock;
  readonly table: DescriptorTable;
  readonly machinery: Machinery;
  /** The process, which is not known yet when its program is linked. */
  readonly process: () => RunningProcess;
  /** Leaves the guest's frames, saving them: of the machine. */
  unwind(): never;
}

type HereCalls = {
  readonly [N in HereName]: (environment: CallEnvironment, args: ArgsOf<N>, memory: Uint8Array) => ResultsOf<N>;
};

function clock(value: bigint | Errno): bigint {
  if (typeof value === 'bigint') return value;
  throw new ErrnoError(value);
}

const HERE: HereCalls = {
  args_get({ process }, { argv, buffer }, memory) {
    writeStrings(memory, argv, buffer, process().args);
    return {};
  },
  args_sizes_get: ({ process }) => stringSizes(process().args),
  environ_get({ process }, { environ, buffer }, memory) {
    writeStrings(memory, environ, buffer, process().env);
    return {};
  },
  environ_sizes_get: ({ process }) => stringSizes(process().env),
  clock_res_get: ({ process }, args) => ({ resolution: clock(process().clocks.resolution(args.clock)) }),
  clock_time_get: ({ process }, args) => ({ time: clock(process().clocks.time(args.clock)) }),
  proc_exit(_, { status }) {
    throw new GuestExit(status);
  },
  sched_yield: () => ({}),
  random_get({ machinery }, { buffer }) {
    machinery.randomFill(buffer);
    return {};
  },
};

/** A descriptor call in the thread itself: which permissions it needs, and how it goes. Throws ErrnoError. */
type DirectCalls = {
  readonly [N in DirectName]: {
    readonly needs: readonly (keyof AllowedCalls)[];
    readonly run: (file: DirectFile, args: ArgsOf<N>) => ResultsOf<N>;
  };
};

const DIRECT: DirectCalls = {
  fd_read: { needs: ['read'], run: (file, { buffers }) => ({ count: file.read(buffers, null) }) },
  fd_write: { needs: ['write'], run: (file, { buffers }) => ({ count: file.write(buffers, null) }) },
  fd_pread: { needs: ['read', 'seek'], run: (file, { buffers, offset }) => ({ count: file.read(buffers, offset) }) },
  fd_pwrite: { needs: ['write', 'seek'], run: (file, { buffers, offset }) => ({ count: file.write(buffers, offset) }) },
  fd_seek: { needs: ['seek'], run: (file, { offset, whence }) => ({ position: file.seek(offset, whence) }) },
  fd_tell: { needs: ['tell'], run: (file) => ({ position: file.tell() }) },
};

export interface GuestCalls {
  readonly imports: Record<Preview1Name, (...raw: Raw[]) => number>;
  /** How many calls this thread has carried out itself. */
  readonly localCalls: () => number;
  /**
   * The thread goes on from a state: the next call may be one that was begun elsewhere and has had its effect at
   * home. Only the main thread knows, so that call is taken there even if this thread could carry it out itself.
   */
  readonly resumed: () => void;
}

/** The import functions of one thread. */
export function guestCalls(environment: CallEnvironment): GuestCalls {
  let local = 0;
  let askFirst = false;
  let bytes = new Uint8Array(environment.memory.buffer);
  const memory = (): Uint8Array => {
    // The buffer of a shared memory that has grown is another object; the old one shows only the old size.
    const { buffer } = environment.memory;
    if (bytes.buffer !== buffer) bytes = new Uint8Array(buffer);
    return bytes;
  };

  const trap = (index: number, raw: readonly Raw[]): number => {
    const errno = environment.control.call(index, raw);
    askFirst = false;
    if (errno === null) return environment.unwind();
    environment.control.holdWhileStopped();
    return errno;
  };

  const attempt = <N extends Preview1Name>(name: N, raw: Raw[], run: (args: ArgsOf<N>) => ResultsOf<N>): number => {
    local++;
    askFirst = false;
    try {
      const now = memory();
      encodeResults(name, raw, now, run(decodeArgs(name, raw, now)));
      return 0;
    } catch (error) {
      if (error instanceof ErrnoError) return error.errno;
      throw error;
    }
  };

  const importOf = (name: Preview1Name, index: number): ((...raw: Raw[]) => number) => {
    if (isHere(name)) {
      return (...raw) => attempt<HereName>(name, raw, (args) => runHere(name, environment, args, memory()));
    }
    if (isDirect(name)) {
      return (...raw) => {
        const descriptor = askFirst ? undefined : environment.table.get(Number(raw[0]) >>> 0);
        if (!descriptor || !DIRECT[name].needs.every((need) => descriptor.may[need])) return trap(index, raw);
        return attempt<DirectName>(name, raw, (args) => runDirect(name, descriptor.file, args));
      };
    }
    return (...raw) => trap(index, raw);
  };

  const imports = Object.fromEntries(CALL_NAMES.map((name, index) => [name, importOf(name, index)]));
  return { imports: imports as GuestCalls['imports'], localCalls: () => local, resumed: () => void (askFirst = true) };
}

const isHere = (name: Preview1Name): name is HereName => PREVIEW1[name].runs === 'here';
const isDirect = (name: Preview1Name): name is DirectName => PREVIEW1[name].runs === 'descriptor';

// The table entry and the arguments are of the same name; indexing with a union loses that, hence the two casts.
function runHere<N extends HereName>(
  name: N,
  environment: CallEnvironment,
  args: object,
  memory: Uint8Array,
): ResultsOf<N> {
  return HERE[name](environment, args as ArgsOf<N>, memory);
}

function runDirect<N extends DirectName>(name: N, file: DirectFile, args: object): ResultsOf<N> {
  return DIRECT[name].run(file, args as ArgsOf<N>);
}
