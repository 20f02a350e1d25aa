/**
 * Workers for guests that know nothing of the guest that comes to them: a node keeps workers for the next guest of the
 * same program (node/guests/worker-pool.ts), and whoever wants to know that all of a guest is in its image must not. Either each
 * is started for one guest and ended with it; or, since that takes some 60 ms of a processor, it is one that has had other
 * guests before, but not the last one, and has forgotten the program. They run the guest's own worker
 * (node/guests/guest-worker.ts), from modules that are read and stripped of types once.
 */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { stripTypeScriptTypes } from 'node:module';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { type TakenWorker, WorkerPool } from '../../src/node/guests/worker-pool.ts';

/** Words that a test shares with its guests' workers: 32 bits each, but for the last, of 64 bits. */
const PLACES = { SKIP: 0, PASSED: 1, REAL_TIME: 2, CLOCK: 2 } as const;
const WORDS_BYTES = 24;
/** Where steady clocks begin, and what they go on by at each look. */
const STEADY_NANOS = 1_700_000_000_000_000_000n;
const STEP_NANOS = 1000n;
const { SKIP, PASSED, REAL_TIME, CLOCK } = PLACES;

/** What fresh-worker.cjs finds as its `workerData`. */
export interface FreshWorkerData {
  /** URL, text, and what V8 has made of it before. */
  readonly files: readonly (readonly [string, string, Uint8Array | undefined])[];
  readonly main: string;
  readonly machine: string;
  readonly runtime: string;
  readonly words: SharedArrayBuffer;
  readonly places: typeof PLACES;
  readonly steady: { readonly start: bigint; readonly step: bigint };
  /** Answers what V8 has made of the files, and does no more. */
  readonly caches: boolean;
}

/** So many workers at most take guests in turn: enough for two processes with some threads. */
const USED = 10;
const ENTRY = new URL('./fresh-worker.cjs', import.meta.url);
const SOURCES = new URL('../../src/', import.meta.url);
const source = (name: string): string => new URL(name, SOURCES).href;
const OPTIONS: WorkerOptions = { stdout: false, stderr: false, env: {}, trackUnmanagedFds: false };

/** A module and all that it imports of Godwit, by URL, without types. @param leaf is not read */
function moduleTexts(main: string, leaf: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const add = (url: string): void => {
    if (texts.has(url) || url === leaf) return;
    const text = stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'));
    texts.set(url, text);
    for (const [, specifier] of text.matchAll(/(?:from|import) '(\.[^']+)'/g)) add(new URL(specifier!, url).href);
  };
  add(main);
  return texts;
}

export class FreshWorkers extends WorkerPool {
  readonly #words: Int32Array;
  readonly #clock: BigInt64Array;
  readonly #data: FreshWorkerData;
  /** The longest unused first. */
  readonly #used: Worker[] = [];
  readonly #ending = new Set<Promise<unknown>>();
  /** Whether the next guest gets one that has been started for it. */
  startNew = true;
  /** How many have been started for a guest. */
  started = 0;

  private constructor(data: Omit<FreshWorkerData, 'words'>, words: SharedArrayBuffer) {
    super();
    this.#words = new Int32Array(words);
    this.#clock = new BigInt64Array(words);
    this.#data = { ...data, words };
  }

  static async start(): Promise<FreshWorkers> {
    const [main, machine, runtime] = [
      'node/guests/guest-worker.ts',
      'capture/running/machine.ts',
      'node/runtime.ts',
    ].map(source);
    const texts = moduleTexts(main!, runtime!);
    const words = new SharedArrayBuffer(WORDS_BYTES);
    const data = {
      main: main!,
      machine: machine!,
      runtime: runtime!,
      places: PLACES,
      steady: { start: STEADY_NANOS, step: STEP_NANOS },
    };
    const plain = Array.from(texts, ([url, text]) => [url, text, undefined] as const);
    const first = startWorker({ ...data, words, files: plain, caches: true });
    const [caches] = (await once(first, 'message')) as [readonly (readonly [string, Uint8Array | undefined])[]];
    await first.terminate();
    const known = new Map(caches);
    const files = plain.map(([url, text]) => [url, text, known.get(url)] as const);
    return new FreshWorkers({ ...data, files, caches: false }, words);
  }

  /** To be called before a program begins. @param real whether its clocks go on by themselves, and random numbers are random */
  begin(real: boolean): void {
    Atomics.store(this.#words, REAL_TIME, real ? 1 : 0);
    Atomics.store(this.#clock, CLOCK, 0n);
  }

  /** What the monotonic clocks of guests show now. */
  get monotonicNanos(): bigint {
    if (Atomics.load(this.#words, REAL_TIME) === 1) return process.hrtime.bigint();
    return STEADY_NANOS + STEP_NANOS * Atomics.load(this.#clock, CLOCK);
  }

  /** At how many safepoints, while it is to leave, a guest goes on. */
  set skip(safepoints: number) {
    Atomics.store(this.#words, SKIP, safepoints);
  }

  /** A guest is at a safepoint that the main thread sees. @returns whether it goes on there */
  skips(): boolean {
    if (Atomics.load(this.#words, SKIP) <= 0 || Atomics.sub(this.#words, SKIP, 1) <= 0) return false;
    Atomics.add(this.#words, PASSED, 1);
    return true;
  }

  /** At how many they have gone on so far. */
  get passed(): number {
    return Atomics.load(this.#words, PASSED);
  }

  override take(): TakenWorker {
    // One of them may just have left the last guest.
    const used = !this.startNew && this.#used.length > 1 ? this.#used.shift() : undefined;
    used?.ref();
    if (used === undefined) this.started++;
    return { worker: used ?? startWorker(this.#data), knows: false };
  }

  override giveBack(worker: Worker): void {
    worker.on('error', () => {});
    worker.unref();
    this.#used.push(worker);
    if (this.#used.length > USED) this.#end(this.#used.shift()!);
  }

  #end(worker: Worker): void {
    const ending = worker.terminate().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  override async close(): Promise<void> {
    for (const worker of this.#used.splice(0)) this.#end(worker);
    await Promise.all([super.close(), ...this.#ending]);
  }
}

function startWorker(data: FreshWorkerData): Worker {
  const worker = new Worker(ENTRY, {
    ...OPTIONS,
    execArgv: ['--experimental-vm-modules', '--no-warnings'],
    workerData: data,
  });
  worker.on('error', () => {});
  return worker;
}
