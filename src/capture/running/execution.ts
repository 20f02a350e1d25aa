/**
 * The engine for programs that are not processes of a node: one run of a program in this thread, with its memories, as
 * something that can be captured into bytes and resumed from them. docs/CAPTURE.md has an example.
 */
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { waitingAlone } from './alone.ts';
import { hasher } from '../image/hasher.ts';
import { ImageReader } from '../image/image-reader.ts';
import { ImageWriter } from '../image/image-writer.ts';
import type { ImageHeader } from '../image/image.ts';
import { Machine } from './machine.ts';
import type { Outcome } from './machine.ts';
import { createMemory } from '../layout/memory.ts';
import type { MemorySize } from '../layout/memory.ts';
import type { Program } from './program.ts';
import { createControl } from '../layout/entries.ts';
import { decodeState, encodeState, staysBecause } from './state.ts';
import type { MachineState } from './state.ts';

/** What a program runs on. */
export interface Embedding {
  /**
   * Makes the imports of one instance, by module and name; memories are the engine's to provide. Called once, before
   * anything runs. A function of the host that takes long or has not taken effect yet may call {@link Execution.capture}.
   * One that calls back into the program does so by {@link Execution.call} or {@link Execution.exports}.
   */
  readonly imports?: (execution: Execution) => WebAssembly.Imports;
  /** From {@link createControl}, for an execution that another thread is to capture; else the execution makes its own. */
  readonly control?: WebAssembly.Memory;
  /** The export that {@link Execution.start} runs behind the start function, if the program has it; else `_start`. */
  readonly entry?: string;
}

/** How a stretch of a run ended. Traps, and what functions of the host throw, are thrown through. */
export type Ended =
  | {
      readonly type: 'returned';
      /** What the called function returned: undefined, a number, a bigint, a reference, or an array of such. */
      readonly value: unknown;
      readonly execution: Execution;
    }
  | {
      /** It can be turned into bytes, {@link Execution.image}, or go on where it is, {@link Execution.goOn}. */
      readonly type: 'captured';
      readonly execution: Execution;
    };

/**
 * Asks for the capture of a running execution, from any thread: it ends with `captured` at its next safepoint, usually
 * within microseconds. A request that comes when nothing runs counts for what is run next.
 * @param control of the execution
 */
export function capture(control: WebAssembly.Memory): void {
  Atomics.store(attention(control), 0, 1);
  Atomics.notify(attention(control), 0);
}

function attention(control: WebAssembly.Memory): Int32Array {
  return new Int32Array(control.buffer, 0, 1);
}

/**
 * Takes up a captured run, in this or any other process, on any type of machine, and runs it on.
 * @param program the one that was captured
 * @param image from {@link Execution.image}; need not be trusted more than the program itself
 * @throws GodwitError `corrupt` if the image is damaged or of another program, `version_mismatch` if another version of
 *   the engine made it, `limit` if there is no room for its memory; and whatever the program's code or its host throws
 */
export function resume(program: Program, image: Uint8Array, embedding: Embedding = {}): Ended {
  return Execution.resume(program, image, embedding);
}

/** Reads an image. @returns its memories, and the state for a machine */
function loadImage(program: Program, image: Uint8Array): [WebAssembly.Memory[], MachineState] {
  const memories: WebAssembly.Memory[] = [];
  const reader = new ImageReader(hasher, (header) => {
    memories.push(...imageMemories(program, header));
    return memories.map(({ buffer }) => new Uint8Array(buffer));
  });
  reader.push(image);
  const { threads, kernel } = reader.finish();
  const [thread] = threads;
  if (thread === undefined || threads.length !== 1 || kernel.length > 0) {
    throw new GodwitError('corrupt', 'the image is one of a process of a node');
  }
  return [memories, decodeState(thread)];
}

/** The memories that an image wants, all zero. */
function imageMemories(program: Program, { moduleHash, memories: wanted }: ImageHeader): WebAssembly.Memory[] {
  const hash = hashOf(program);
  if (moduleHash.some((byte, i) => byte !== hash[i]))
    throw new GodwitError('corrupt', 'the image is of another program');
  const sizes = program.memories;
  if (wanted.length !== sizes.length) throw new GodwitError('corrupt', `an image with ${wanted.length} memories`);
  return sizes.map((size, index) => {
    const { pages } = wanted[index]!;
    if (pages < size.initialPages || pages > size.maximumPages) {
      throw new GodwitError('corrupt', `an image with ${pages} pages of memory ${index}`);
    }
    return newMemory({ ...size, initialPages: pages });
  });
}

function newMemory(size: MemorySize): WebAssembly.Memory {
  try {
    return createMemory(size);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new GodwitError('limit', `no room for a memory of ${size.initialPages} pages`, { cause: error });
  }
}

const hashes = new WeakMap<Program, Uint8Array>();

/** The hash of the original module, by which an image knows its program. */
function hashOf(program: Program): Uint8Array {
  let hash = hashes.get(program);
  if (hash === undefined) {
    const digest = hasher.digest();
    digest.update(program.original.bytes);
    hashes.set(program, (hash = digest.final()));
  }
  return hash;
}

/** One instance of a program, which runs, is captured and goes on. Everything is synchronous. */
export class Execution {
  readonly program: Program;
  /** By their numbers in the module; shared, so other threads can read them while the program runs. */
  readonly memories: readonly WebAssembly.Memory[];
  /** See {@link capture}. */
  readonly control: WebAssembly.Memory;
  readonly #machine: Machine;
  #begun = false;
  /** Calls of the program under way. Below each but the first a function of the host waits, which cannot be unwound. */
  #depth = 0;
  /** A capture was asked for that has to wait until {@link #depth} is 1. */
  #postponed = false;
  #exports: WebAssembly.Exports | null = null;
  #captured: MachineState | null = null;
  readonly #entry: string;

  /**
   * @param memories zeroed or loaded, of the sizes that the program wants; made anew if left out
   * @throws WebAssembly.LinkError if the imports do not fit; GodwitError `limit` if there is no room for the memories
   */
  constructor(program: Program, embedding: Embedding = {}, memories = program.memories.map(newMemory)) {
    this.program = program;
    this.memories = memories;
    this.#entry = embedding.entry ?? '_start';
    this.control = embedding.control ?? createControl();
    const imports = embedding.imports?.(this) ?? {};
    const waiting = waitingAlone(
      () => memories,
      (timeout) => this.#sleep(timeout),
    );
    this.#machine = new Machine(program, {
      imports,
      memories,
      control: this.control,
      poll: () => this.#poll(),
      waiting,
    });
  }

  /** Until the time is over or a capture is asked for; then the wait begins anew when the run goes on. */
  #sleep(timeout: bigint): void {
    const milliseconds = timeout < 0n ? Infinity : Number(timeout) / 1e6;
    while (Atomics.wait(attention(this.control), 0, 0, milliseconds) !== 'timed-out') this.#poll();
  }

  /** Someone asks for a capture. It returns, for the run to go on, if a function of the host waits on the stack. */
  #poll(): void {
    if (this.#depth <= 1) this.capture();
    Atomics.store(attention(this.control), 0, 0);
    this.#postponed = true;
  }

  /** See the function {@link resume}. */
  static resume(program: Program, image: Uint8Array, embedding: Embedding): Ended {
    const [memories, state] = loadImage(program, image);
    const execution = new Execution(program, embedding, memories);
    execution.#captured = state;
    execution.#begun = true;
    return execution.goOn();
  }

  /** The memory that the program shows its host: exported as `memory`, or else the first one. */
  get memory(): WebAssembly.Memory | undefined {
    return this.memories[this.program.hostMemory];
  }

  /**
   * The program's exports. Functions return what the program's return: a capture that is asked for while one runs waits
   * until it has returned, unlike with {@link call}. They throw as that does. They are functions of JavaScript, so
   * they cannot be put into tables; what the program itself has in tables or passes on must not be called by functions of its
   * host while a capture may be asked for.
   */
  get exports(): WebAssembly.Exports {
    this.#exports ??= Object.freeze(
      Object.fromEntries(
        this.program.exports.map(({ name, kind }) => [
          name,
          kind === 'function'
            ? (...args: unknown[]): unknown => this.#callDirectly(name, args)
            : this.#machine.exports[name]!,
        ]),
      ),
    );
    return this.#exports;
  }

  #callDirectly(name: string, args: readonly unknown[]): unknown {
    this.#mustHaveBegun();
    // As if a function of the host below called it: whoever it is, it wants the result.
    const ended = this.#run(() => this.#machine.call(name, args), 2);
    assert(ended.type === 'returned', 'captured below a function of the host');
    return ended.value;
  }

  /**
   * Runs the program from its beginning: segments, the start function, then the export `_start` ({@link Embedding.entry}).
   * @throws what the program's code or its host throws; a trap is a WebAssembly.RuntimeError, which `locate` explains;
   *   GodwitError `not_runnable` if it has been started or resumed before, `cannot_move` if functions of the host have
   *   made it impossible to take up what was captured, see {@link exports} and {@link capture}: then this run is lost
   */
  start(): Ended {
    if (this.#begun)
      throw new GodwitError('not_runnable', 'the execution has been started already: a program starts once');
    this.#begun = true;
    return this.#run(() => this.#machine.start(this.#entry));
  }

  /**
   * Calls an exported function of a program that has been started. Called from inside a function of the host, which
   * the program has called, it always returns: a capture that is asked for in the meantime waits until it has.
   * @throws GodwitError `not_runnable` if there is no such function, or the program has not been started, or is
   *   captured; and as {@link start}
   */
  call(name: string, ...args: readonly unknown[]): Ended {
    this.#mustHaveBegun();
    return this.#run(() => this.#machine.call(name, args));
  }

  /**
   * Captures the program from inside a function of its host, which has had no effect yet: it is called again, with the
   * same arguments, when the run goes on. The program must have called the function as an import: if it was reached by a
   * reference or through a table that the host has filled, the run ends with a GodwitError `cannot_move`.
   * @throws GodwitError `cannot_move` if another function of the host, further out, has called the program: that one
   *   cannot be called again; `not_runnable` if nothing runs
   */
  capture(): never {
    if (this.#depth === 0) throw new GodwitError('not_runnable', 'nothing runs that could be captured');
    if (this.#depth > 1) {
      throw new GodwitError('cannot_move', 'a function of the host has called the program, and waits for it to return');
    }
    Atomics.store(attention(this.control), 0, 0);
    return this.#machine.unwind();
  }

  /** Why the captured state cannot become bytes; null if it can. */
  get stays(): ReturnType<typeof staysBecause> {
    return staysBecause(this.#state());
  }

  /**
   * The captured run as bytes: memories, stack, globals, tables, with the engine's version and a digest.
   * @throws GodwitError `cannot_move` if it {@link stays}
   */
  image(): Uint8Array<ArrayBuffer> {
    const writer = new ImageWriter(
      {
        moduleHash: hashOf(this.program),
        memories: this.memories.map(({ buffer }, index) => ({
          bytes: new Uint8Array(buffer),
          maximumPages: this.program.memories[index]!.maximumPages,
        })),
        threads: [encodeState(this.#state())],
        kernel: new Uint8Array(0),
      },
      hasher,
    );
    const image = new Uint8Array(writer.bytes);
    let at = 0;
    for (let part = writer.next(LIMITS.imageRecordBytes); part !== null; part = writer.next(LIMITS.imageRecordBytes)) {
      image.set(part, at);
      at += part.length;
    }
    return image;
  }

  /** Goes on here with what was captured. @throws as {@link start} */
  goOn(): Ended {
    const state = this.#state();
    this.#captured = null;
    return this.#run(() => this.#machine.resume(state, this.#entry));
  }

  /** @param levels by which the calls under way become more */
  #run(run: () => Outcome, levels = 1): Ended {
    this.#depth += levels;
    try {
      return this.#ended(run());
    } finally {
      this.#depth -= levels;
      if (this.#postponed && this.#depth <= 1) {
        this.#postponed = false;
        Atomics.store(attention(this.control), 0, 1);
      }
    }
  }

  #ended(outcome: Outcome): Ended {
    if (outcome.type === 'returned') return { ...outcome, execution: this };
    this.#captured = outcome.state;
    return { type: 'captured', execution: this };
  }

  #state(): MachineState {
    if (this.#captured === null) throw new GodwitError('not_runnable', 'the execution is not captured');
    return this.#captured;
  }

  #mustHaveBegun(): void {
    if (!this.#begun) throw new GodwitError('not_runnable', 'the execution has not been started');
    if (this.#captured !== null) throw new GodwitError('not_runnable', 'the execution is captured: it has to go on');
  }
}
