/** A kernel with virtual time and one process, and short ways to make its calls. */
import { errnoName, type ErrnoName } from '../../abi/errno.ts';
import type { Preview1Name } from '../../abi/preview1.ts';
import { Rights } from '../../abi/types.ts';
import { assert } from '../../base/assert.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { type Clock, silentLog, type Timer } from '../../base/env.ts';
import { FIRST_SEAT, nodeId, type Seat } from '../../base/ids.ts';
import { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import { Waiting } from '../../base/waiting.ts';
import type { Directory, Settled } from '../../vfs/openfile.ts';
import type { ArgsOf, ResultsOf } from '../calls/implementation.ts';
import type { Descriptor } from '../descriptors.ts';
import { type CallResult, Kernel } from '../kernel.ts';
import type { Process } from '../process.ts';
import type { SpawnSpec } from '../processes.ts';
import { MemoryDirectory } from './files.ts';

/** A clock that knows how many of its timers are still set: none may be left behind. */
export class CountingClock implements Clock {
  readonly inner = new VirtualClock();
  timers = 0;

  now(): number {
    return this.inner.now();
  }

  wallNanos(): bigint {
    return this.inner.wallNanos();
  }

  after(delay: number, fire: () => void): Timer {
    this.timers++;
    let set = true;
    const done = (): void => {
      if (set) this.timers--;
      set = false;
    };
    const timer = this.inner.after(delay, () => {
      done();
      fire();
    });
    return {
      cancel() {
        done();
        timer.cancel();
      },
    };
  }
}

export type Blocked<N extends Preview1Name> = Waiting<CallResult<N>>;

export class Harness {
  readonly clock = new CountingClock();
  readonly root: Directory;
  /** What the node was told: `ended 65537`, `stopped 65537 true`. */
  readonly told: string[] = [];
  readonly changes: { readonly fd: number; readonly descriptor: Descriptor | null }[] = [];
  readonly kernel: Kernel;
  readonly process: Process;

  /** The process has a directory, `/`, as descriptor 3 unless the spec says otherwise; no standard streams. */
  constructor(spec: Partial<SpawnSpec> = {}, root: Directory = new MemoryDirectory()) {
    this.root = root;
    this.kernel = new Kernel({
      node: nodeId(1),
      surroundings: { clock: this.clock, random: new SeededRandom(1) },
      log: silentLog,
      firstSerial: 1,
      events: {
        ending: () => null,
        ended: (process) => this.told.push(`ended ${process.pid}`),
        stopped: (process, stopped) => this.told.push(`stopped ${process.pid} ${stopped}`),
        descriptorChanged: (_process, fd, descriptor) => this.changes.push({ fd, descriptor }),
      },
    });
    this.process = this.kernel.processes.spawn({ ...SPEC, preopens: [{ name: '/', directory: root }], ...spec });
    this.process.begin();
  }

  /** A call that does not wait: its results, or the name of its errno. */
  call<N extends Preview1Name>(name: N, args: ArgsOf<N>): ResultsOf<N> | ErrnoName {
    const result = this.kernel.call(this.process, name, args);
    assert(!(result instanceof Waiting), `${name} waits`);
    return outcome(result);
  }

  /** A call that must succeed. */
  ok<N extends Preview1Name>(name: N, args: ArgsOf<N>): ResultsOf<N> {
    const result = this.call(name, args);
    assert(typeof result !== 'string', `${name}: ${String(result)}`);
    return result;
  }

  /** A call that must wait, of the first thread or another one. */
  block<N extends Preview1Name>(name: N, args: ArgsOf<N>, seat: Seat = FIRST_SEAT): Blocked<N> {
    const result = this.kernel.call(this.process, name, args, seat);
    assert(result instanceof Waiting, `${name} does not wait`);
    return result;
  }

  /** Opens a path with the rights, by default to read and write a file, and gives its descriptor. */
  open(path: string, options: Partial<ArgsOf<'path_open'>> = {}): number {
    return this.ok('path_open', { ...OPEN, path, ...options }).opened;
  }

  /** Reads at most `max` bytes at once, as text; the name of the errno if it fails. */
  read(fd: number, max = 100): string {
    const buffer = new Uint8Array(max);
    const result = this.call('fd_read', { fd, buffers: [buffer] });
    return typeof result === 'string' ? result : decodeUtf8(buffer.subarray(0, result.count));
  }

  write(fd: number, text: string): number | ErrnoName {
    const result = this.call('fd_write', { fd, buffers: [encodeUtf8(text)] });
    return typeof result === 'string' ? result : result.count;
  }
}

export const SPEC: SpawnSpec = {
  ppid: null,
  args: ['program', 'ä'],
  env: ['A=1'],
  cwd: '/',
  stdio: [null, null, null],
  listeners: [],
  preopens: [],
  stay: [],
};

export const OPEN: ArgsOf<'path_open'> = {
  fd: 3,
  lookup: 0,
  path: '',
  oflags: 1,
  base: Rights.fd_read | Rights.fd_write | Rights.fd_seek | Rights.fd_filestat_get | Rights.poll_fd_readwrite,
  inheriting: 0n,
  flags: 0,
};

/** The results, or the errno's name. */
export function outcome<T>(result: Settled<T>): T | ErrnoName {
  return 'errno' in result ? (errnoName(result.errno) as ErrnoName) : result.value;
}

/** What a wait has come to so far: its results, the name of its errno, or null while it is pending. */
export function soFar<T>(waiting: Waiting<Settled<T>>): T | ErrnoName | null {
  let found: T | ErrnoName | null = null;
  if (!waiting.pending) waiting.whenDone((result) => (found = outcome(result)));
  return found;
}
