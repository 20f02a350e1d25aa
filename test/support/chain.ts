/**
 * Runs a program as a chain of guests: each is captured at a safepoint, its image goes through the image format, and
 * the next guest, in a fresh worker with fresh memory, goes on from it. With the daemon's own parts: guests, kernel,
 * images; without nodes.
 */
import { createHash } from 'node:crypto';
import { decodeArgs } from '../../src/abi/decode.ts';
import { encodeResults } from '../../src/abi/encode.ts';
import { ERRNO, ErrnoError } from '../../src/abi/errno.ts';
import type { Preview1Name } from '../../src/abi/preview1.ts';
import { type FileStat, FileType, type Subscription } from '../../src/abi/types.ts';
import { THREAD_SPAWN } from '../../src/abi/wasi-threads.ts';
import { assert } from '../../src/base/assert.ts';
import { silentLog } from '../../src/base/env.ts';
import { nodeId, type Seat } from '../../src/base/ids.ts';
import { Waiting } from '../../src/base/waiting.ts';
import type { RawCall, ThreadCall } from '../../src/guest/control.ts';
import { type CallResult, Kernel } from '../../src/kernel/kernel.ts';
import { relativeToGuest } from '../../src/kernel/poll.ts';
import type { Process } from '../../src/kernel/process.ts';
import { StreamFile } from '../../src/kernel/stream.ts';
import type { StdioPort } from '../../src/node/daemon.ts';
import { Guest, type GuestReport } from '../../src/node/guests/guest.ts';
import { ImageLoader, imageOf } from '../../src/node/guests/guest-image.ts';
import type { GuestBaggage, GuestRest } from '../../src/node/guests/guest-baggage.ts';
import type { LoadedModule } from '../../src/node/modules/modules.ts';
import { realClock, realRandom } from '../../src/node/runtime.ts';
import type { WorkerPool } from '../../src/node/guests/worker-pool.ts';
import { openPreopen } from '../../src/vfs/preopen.ts';
import { FreshWorkers } from './fresh-workers.ts';
import { SteadyFiles } from './steady-files.ts';

export interface ChainOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly stdin: string;
  /** Given to the program as `.`; null: no directory. */
  readonly directory: string | null;
  /** When the `n`-th guest is captured, from 0 on; null: it runs to its end. */
  readonly when: (n: number) => Moment | null;
  /** Whether what files say of themselves is the same in each run: see {@link SteadyFiles}. */
  readonly steady?: boolean;
}

/**
 * When a guest is captured: behind so many safepoints, 0 for the first that it comes to (more need {@link FreshWorkers}),
 * or so many milliseconds after its code has begun to run.
 */
export type Moment = { readonly skip: number } | { readonly after: number };

export interface ChainEnd {
  readonly stdout: string;
  readonly stderr: string;
  readonly report: GuestReport;
  /** Milliseconds in which the code of its guests ran, captures included. */
  readonly ranMs: number;
  /** SHA-256 of the whole linear memory at the end, hexadecimal. */
  readonly memory: string;
  readonly captures: number;
}

/** Calls that wait, by seat. */
type Blocked = Map<Seat, Waiting<CallResult<Preview1Name>>>;

/** An image as it was sent. */
interface Image {
  readonly pieces: readonly Uint8Array[];
  readonly digest: Uint8Array;
  /** Of its memories, 64 KiB each. */
  readonly pages: readonly number[];
}

/** Bytes of one piece when an image is written and read. */
const PIECE = 10_000;

/** What a pipe says of itself. */
const PIPE: FileStat = {
  dev: 0n,
  ino: 0n,
  filetype: FileType.unknown,
  nlink: 1n,
  size: 0n,
  atim: 0n,
  mtim: 0n,
  ctim: 0n,
};

/** A standard stream over bytes in memory. */
function stream(input: string, output: Uint8Array[]): StreamFile {
  let rest: Uint8Array = Buffer.from(input);
  const port: StdioPort & { readonly kind: 'pipe' } = {
    kind: 'pipe',
    flags: 0,
    readable: true,
    writable: true,
    read(max, done) {
      const value = rest.subarray(0, max);
      rest = rest.subarray(value.length);
      setImmediate(() => done({ value }));
    },
    hurry: () => {},
    write(bytes, done) {
      output.push(bytes.slice());
      setImmediate(() => done({ value: bytes.length }));
    },
    seek: (_offset, _whence, done) => setImmediate(() => done({ errno: ERRNO.spipe })),
    stat: (done) => setImmediate(() => done({ value: PIPE })),
  };
  return new StreamFile(port);
}

/** Of all chains. */
let guests = 0;

/** One process at home, whose guests come and go. */
class Chain {
  readonly #module: LoadedModule;
  readonly #pool: WorkerPool;
  readonly #options: ChainOptions;
  readonly #kernel: Kernel;
  readonly #process: Process;
  readonly #stdout: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];
  readonly #files: SteadyFiles | null;
  #ranMs = 0;

  constructor(module: LoadedModule, pool: WorkerPool, options: ChainOptions) {
    this.#module = module;
    this.#pool = pool;
    this.#options = options;
    this.#files = options.steady === true ? new SteadyFiles(realClock.wallNanos()) : null;
    this.#kernel = new Kernel({
      node: nodeId(1),
      surroundings: { clock: realClock, random: realRandom },
      log: silentLog,
      firstSerial: 1,
      events: { ending: () => null, ended() {}, stopped() {}, descriptorChanged() {} },
    });
    const [stdin, stdout, stderr] = [stream(options.stdin, []), stream('', this.#stdout), stream('', this.#stderr)];
    this.#process = this.#kernel.processes.spawn({
      ppid: null,
      args: options.args,
      env: options.env,
      cwd: '/',
      stdio: [stdin, stdout, stderr].map((file) => ({ file, rights: file.rights })) as never,
      listeners: [],
      preopens: options.directory === null ? [] : [{ name: '.', directory: openPreopen(options.directory, null) }],
      stay: [],
    });
    this.#process.begin();
  }

  async run(): Promise<ChainEnd> {
    const { args, env } = this.#process.identity;
    let baggage: GuestBaggage = { args, env, monotonic: 0n, cpuNanos: 0n, nextCalls: [], nextThreadId: 1 };
    let image: Image | null = null;
    let inCall = false;
    for (let captures = 0; ; captures++) {
      const link = await this.#link(captures, image, baggage, inCall);
      if (link.report.type !== 'captured') {
        const text = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString();
        const { report, memory } = link;
        const end = { stdout: text(this.#stdout), stderr: text(this.#stderr), ranMs: this.#ranMs };
        return { ...end, report, memory, captures };
      }
      ({ image, baggage, inCall } = link);
    }
  }

  /**
   * One guest from its start to its capture or its end.
   * @param inCall the last guest left a call, which this one makes again: it is let through if this one is captured at
   *   once, or it would never be made. Not in one that runs for a while: a thread that such a call starts meanwhile
   *   would not be told to leave
   */
  async #link(number: number, image: Image | null, before: GuestBaggage, inCall: boolean) {
    const { memories, hostMemory } = this.#module;
    // Under another name in each: a worker that has had it before does not know it again.
    const module = { ...this.#module, hash: `${this.#module.hash}.${guests++}` };
    const { promise, resolve } = Promise.withResolvers<GuestReport>();
    const blocked: Blocked = new Map();
    let leaving = false;
    const moment = this.#options.when(number);
    const at = moment !== null && 'skip' in moment ? moment.skip : null;
    const after = moment !== null && 'after' in moment ? moment.after : null;
    this.#skip(at ?? 0);
    let again = inCall && at === 0;
    let left = false;
    // As large as the one before was, whose memories it may well get, with all that is in them.
    const sizes = memories.map(({ maximumPages, wide, initialPages }, i) => ({
      maximumPages,
      wide,
      initialPages: image?.pages[i] ?? initialPages,
    }));
    let beganAt = 0;
    let cancel = (): void => {};
    const began = (): void => {
      beganAt = performance.now();
      if (after !== null) cancel = callAfter(after, capture);
    };
    // Calls that wait are left too, as in a move.
    const capture = (): void => {
      leaving = true;
      guest.capture();
      for (const [seat, call] of blocked) {
        if (!call.withdraw()) continue;
        left = true;
        guest.interrupt(seat);
      }
    };
    const guest: Guest = new Guest(module, { sizes, host: hostMemory, arriving: image !== null }, this.#pool, {
      takenUp: () => began(),
      called: (seat, call) => {
        if (leaving && !again && !this.#skips()) {
          left = true;
          return guest.interrupt(seat);
        }
        again = false;
        this.#called(guest, seat, call, blocked);
      },
      reported: resolve,
    });
    try {
      await guest.ready();
      let rest: GuestRest | null = null;
      if (image) {
        const loader = new ImageLoader(this.#module, guest.memories.receiving);
        for (const piece of image.pieces) loader.write(piece);
        rest = loader.finish(image.digest);
      }
      const context = { args: before.args, env: before.env };
      // Held at its first safepoint, or a fast program could get away before the capture is asked for.
      if (at !== null) guest.stop();
      if (rest === null) {
        guest.start(context, 0n);
        began();
      } else {
        guest.expect(rest.threads.length);
        guest.goOn(context, rest.threads, rest.baggage.nextThreadId, 0n);
        guest.letGo(0n);
      }
      if (at !== null) capture();
      const report = await promise;
      this.#ranMs += performance.now() - beganAt;
      cancel();
      const { nextThreadId } = guest;
      const baggage = { ...before, cpuNanos: report.cpuNanos, nextThreadId };
      const captured = report.type === 'captured';
      const next = captured ? await this.#image(guest, { threads: report.threads, baggage }) : null;
      const memory = captured ? '' : createHash('sha256').update(new Uint8Array(guest.memory.buffer)).digest('hex');
      return { report, memory, baggage, image: next, inCall: left };
    } finally {
      await guest.end();
    }
  }

  /** As a node does: the monotonic clock is the guest's. */
  #relative<T extends object>(args: T): T {
    if (!('subscriptions' in args)) return args;
    const now = this.#pool instanceof FreshWorkers ? this.#pool.monotonicNanos : process.hrtime.bigint();
    return { ...args, subscriptions: relativeToGuest(args.subscriptions as readonly Subscription[], now) };
  }

  #skip(safepoints: number): void {
    if (this.#pool instanceof FreshWorkers) this.#pool.skip = safepoints;
    else assert(safepoints === 0, 'only fresh workers count safepoints');
  }

  #skips(): boolean {
    return this.#pool instanceof FreshWorkers && this.#pool.skips();
  }

  async #image(guest: Guest, rest: GuestRest): Promise<Image> {
    const source = await imageOf(this.#module, guest.memories.all, rest);
    const pieces: Uint8Array[] = [];
    for (let piece; (piece = source.next(PIECE)) !== null;) pieces.push(piece.slice());
    const pages = guest.memories.all.map(({ buffer }) => buffer.byteLength / 65_536);
    return { pieces, digest: source.digest(), pages };
  }

  #called(guest: Guest, seat: Seat, call: ThreadCall, blocked: Blocked): void {
    if (call.name === THREAD_SPAWN) guest.answer(seat, guest.spawn(Number(call.args[0]), true));
    else this.#carryOut(guest, seat, call, blocked);
  }

  #carryOut(guest: Guest, seat: Seat, call: RawCall, blocked: Blocked): void {
    const memory = (): Uint8Array => new Uint8Array(guest.memory.buffer);
    const answer = (result: CallResult<Preview1Name>): void => {
      blocked.delete(seat);
      if ('value' in result) {
        encodeResults(call.name, call.args, memory(), result.value);
        this.#files?.settle(call, memory());
      }
      guest.answer(seat, 'errno' in result ? result.errno : 0);
    };
    try {
      const args = decodeArgs(call.name, call.args, memory());
      const result = this.#kernel.call(this.#process, call.name, this.#relative(args), seat);
      if (!(result instanceof Waiting)) return answer(result);
      blocked.set(seat, result);
      result.whenDone(answer);
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      guest.answer(seat, error.errno);
    }
  }
}

/** As `setTimeout`, which knows whole milliseconds only. @returns takes it back */
function callAfter(milliseconds: number, done: () => void): () => void {
  let cancelled = false;
  const due = performance.now() + milliseconds;
  const look = (): void => {
    if (cancelled) return;
    const left = due - performance.now();
    if (left <= 0) done();
    else if (left > 2) setTimeout(look, left - 1);
    else setImmediate(look);
  };
  look();
  return () => (cancelled = true);
}

/** Runs the program, always going on in a fresh worker. */
export function runChain(module: LoadedModule, pool: WorkerPool, options: ChainOptions): Promise<ChainEnd> {
  return new Chain(module, pool, options).run();
}
