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
import { signatureOf } from '../abi/signature.ts';
import { ClockId } from '../abi/types.ts';
import type { DirectFile } from '../vfs/direct.ts';
import type { ControlBlock } from './control.ts';
import type { AllowedCalls, DescriptorTable } from './descriptors.ts';
import { fastCalls, GENERIC } from './fast.ts';
import { type GuestClocks, GuestExit } from './local.ts';
import { GuestMemory } from './memory.ts';
import { Progress } from './progress.ts';
import type { RandomSupply } from './random.ts';

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
  readonly random: RandomSupply;
  /** Whether this is the only thread that its process has ever had. */
  readonly alone: () => boolean;
  /** The process, which is not known yet when its program is linked. */
  readonly process: () => RunningProcess;
  /** Leaves the guest's frames, saving them: of the machine. */
  unwind(): never;
  /** Ends the program: what runs it gets `error`. No handler of the program sees it. */
  readonly leave: (error: Error) => never;
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
  proc_exit: ({ leave }, { status }) => leave(new GuestExit(status)),
  sched_yield: () => ({}),
  random_get({ random }, { buffer }) {
    random.fill(buffer, 0, buffer.length);
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
  readonly imports: Record<Preview1Name, ImportFunction>;
  readonly progress: Progress;
}

type ImportFunction = (...raw: Raw[]) => number;

/**
 * The function that a guest imports, as JavaScript written from the table: with the call's own number of parameters,
 * and each with a text of its own, since V8 keeps what it learns about a function by its text: functions made by one
 * closure would share it, and none of them would have the fast path built in. What goes into the text are names and
 * numbers of the table, nothing from outside.
 */
function importFunction(name: Preview1Name, generic: (raw: readonly Raw[]) => number, fast?: unknown): ImportFunction {
  const raw = signatureOf(name)
    .params.map((_, i) => `a${i}`)
    .join(', ');
  const first = fast === undefined ? '' : `const errno = fast(${raw}); if (errno !== ${GENERIC}) return errno; `;
  const text = `return function ${name}(${raw}) { ${first}return generic([${raw}]); };`;
  // oxlint-disable-next-line typescript/no-implied-eval -- see above
  const make = new Function('generic', 'fast', text) as (...used: unknown[]) => ImportFunction;
  return make(generic, fast);
}

/** The import functions of one thread. @param fast whether calls take their fast path; false is for comparing them */
export function guestCalls(environment: CallEnvironment, fast = true): GuestCalls {
  const memory = new GuestMemory(environment.memory);
  const progress = new Progress();

  const trap = (index: number, raw: readonly Raw[]): number => {
    const errno = environment.control.call(index, raw);
    progress.asked();
    if (errno === null) return environment.unwind();
    environment.control.holdWhileStopped();
    return errno;
  };

  const attempt = <N extends Preview1Name>(
    name: N,
    raw: readonly Raw[],
    run: (args: ArgsOf<N>, now: Uint8Array) => ResultsOf<N>,
  ): number => {
    progress.local();
    try {
      const now = memory.current();
      encodeResults(name, raw, now, run(decodeArgs(name, raw, now), now));
      return 0;
    } catch (error) {
      if (error instanceof ErrnoError) return error.errno;
      throw error;
    }
  };

  const genericOf = (name: Preview1Name, index: number): ((raw: readonly Raw[]) => number) => {
    if (isHere(name)) {
      const here = (raw: readonly Raw[]): number =>
        attempt<HereName>(name, raw, (args, now) => runHere(name, environment, args, now));
      if (name !== 'clock_time_get') return here;
      // What other threads use, and have used, only the main thread knows.
      return (raw) => (raw[0] === ClockId.processCputime && !environment.alone() ? trap(index, raw) : here(raw));
    }
    if (isDirect(name)) {
      return (raw) => {
        const descriptor = progress.askFirst ? undefined : environment.table.get(Number(raw[0]) >>> 0);
        if (!descriptor || !DIRECT[name].needs.every((need) => descriptor.may[need])) return trap(index, raw);
        return attempt<DirectName>(name, raw, (args) => runDirect(name, descriptor.file, args));
      };
    }
    return (raw) => trap(index, raw);
  };

  const quick: Partial<Record<string, unknown>> = fast ? fastCalls(environment, memory, progress) : {};
  const imports = Object.fromEntries(
    CALL_NAMES.map((name, index) => [name, importFunction(name, genericOf(name, index), quick[name])]),
  );
  return { imports: imports as GuestCalls['imports'], progress };
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
