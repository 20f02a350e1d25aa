/**
 * Runs a rewritten module: starts it, lets the host unwind it into a {@link MachineState}, and resumes such a state,
 * in the same instance or in another one. One machine is one thread of a program; everything here is synchronous.
 *
 * Linear memory is the host's: a resume expects it to hold what it held at the capture, and to have that size.
 */
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { payloadOf } from '../../wasm/module.ts';
import { I32, V128, isNumeric } from '../../wasm/types.ts';
import { Continuations } from './continuations.ts';
import { NO_ROOM, SAVE_BASE, savedSize } from '../layout/frame.ts';
import { rootIndex } from './frames.ts';
import type { Host } from './host.ts';
import { FOREIGN, RewrittenInstance } from './instance.ts';
import type { Program } from './program.ts';
import { SavedExceptions } from './saved-exceptions.ts';
import { SavedTables, growTo } from './saved-tables.ts';
import { Portions } from './portions.ts';
import type { Stack } from './portions.ts';
import type { MachineState, Root } from './state.ts';
import { holdsObjects } from './unread.ts';
import { requireWholeStack, stoppedUnwinding } from './unwound.ts';
import { placeForbiddenWait, placeHostFunctions } from '../rewriting/trampolines.ts';

/** How a run ended. Traps and exceptions of the host are thrown through. */
export type Outcome =
  | { readonly type: 'returned'; readonly value: unknown }
  | { readonly type: 'captured'; readonly state: MachineState };

/**
 * Bytes of code, of the innermost frames with loops, that are optimised at once when a stack is taken up again where it
 * was: some 10 ms. The rest V8 optimises by and by.
 */
const MOST_OPTIMISED = 16_384;

export class Machine {
  readonly #program: Program;
  readonly #host: Host;
  readonly #instance: RewrittenInstance;
  readonly #unwinding: WebAssembly.Exception;
  readonly #savePointer: WebAssembly.Global<number>;
  readonly #continuations: Continuations;
  readonly #portions: Portions;
  /** The tables have been filled by {@link #initTables}. */
  #tablesReady = false;
  /** null if the program handles none. */
  readonly #exceptions: SavedExceptions | null;
  readonly #tables: SavedTables;
  /** What {@link leave} was called with. */
  #leaving: Error | null = null;
  /** The host's poll has returned: the capture under way is to be resumed at once. */
  #goOn = false;
  /** The host's poll runs. */
  #polling = false;
  /** What has begun to unwind the stack, which is not captured yet; null if nothing has. */
  #unwinder: 'poll' | 'import' | null = null;

  constructor(program: Program, host: Host) {
    this.#program = program;
    this.#host = host;
    const instance = new RewrittenInstance(program, host);
    this.#instance = instance;
    this.#continuations = new Continuations(program, instance);
    this.#unwinding = new WebAssembly.Exception(instance.unwindTag, [], { traceStack: false });
    this.#savePointer = instance.savePointer();
    this.#portions = new Portions(host.control, this.#savePointer, this.#continuations.table, host.portionBytes);
    this.#exceptions = program.numbering.exceptions ? this.#savedExceptions() : null;
    this.#tables = new SavedTables(program.original, program.facts.changedTables, instance);
    placeHostFunctions(this.#instance.table('host'), { poll: () => this.#poll() });
    if (program.numbering.waitUses.length > 0) this.#placeWaiting();
  }

  #placeWaiting(): void {
    const { numbering, original } = this.#program;
    const forbidden = numbering.waitUses.some(({ memory }) => !original.memories[memory]!.shared);
    const table = this.#instance.table('host');
    if (forbidden) placeForbiddenWait(table);
    if (!numbering.waitUses.some(({ memory }) => original.memories[memory]!.shared)) return;
    const { waiting } = this.#host;
    if (waiting === undefined) {
      throw new GodwitError('not_runnable', 'the program waits for other threads, and its host has no queue for that');
    }
    placeHostFunctions(table, {
      wait32: (memory: number, address: number, expected: number, timeout: bigint) =>
        waiting.wait32(memory, address, expected, timeout),
      wait64: (memory: number, address: number, expected: bigint, timeout: bigint) =>
        waiting.wait64(memory, address, expected, timeout),
      notify: (memory: number, address: number, count: number) => waiting.notify(memory, address, count >>> 0),
    });
  }

  /**
   * The program's own exports, and the engine's. A function that is called directly must not meet a poll that unwinds:
   * its caller cannot be taken up again.
   */
  get exports(): WebAssembly.Exports {
    return this.#instance.exports;
  }

  /**
   * Runs the program from its beginning: segments, start function, then the export `entry` if there is one. A further
   * thread of a program begins so too: `start('wasi_thread_start', [thread, argument])`.
   * @param args what `entry` is called with
   * @throws what the program's code or its host throws; a trap is a WebAssembly.RuntimeError
   */
  start(entry = '_start', args: readonly unknown[] = []): Outcome {
    this.initialise();
    if (this.#program.original.start !== null) {
      const outcome = this.#run({ type: 'start' }, this.#instance.rootFunction({ type: 'start' }));
      if (outcome.type === 'captured') return outcome;
    }
    return this.#afterStart(entry, args);
  }

  #afterStart(entry: string, args: readonly unknown[]): Outcome {
    if (!this.#program.exports.some(({ kind, name }) => kind === 'function' && name === entry)) {
      return { type: 'returned', value: undefined };
    }
    return this.call(entry, args);
  }

  /**
   * Does what can be done before {@link resume} gets its state, so that it takes less time. A process that is started
   * meets an error here again, where it belongs.
   */
  prepare(): void {
    try {
      this.#initTables();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    }
  }

  /** Applies the active segments, as instantiating the original would. Only needed before {@link call}. */
  initialise(): void {
    this.#initTables();
    this.#instance.helper('initMemory')();
  }

  /**
   * Calls an exported function so that it can be captured. From inside an import it must not be: its host lets polls
   * return until the call has, or the frames below are missing in the state.
   */
  call(name: string, args: readonly unknown[]): Outcome {
    const root: Root = { type: 'export', name };
    const entry = this.#instance.rootFunction(root);
    return this.#run(root, () => entry(...args));
  }

  /**
   * Asks for capture, from inside an import or from `poll`. Nothing of the import's effects may have happened: it is
   * called again, with the same arguments, after the resume. Whoever called from outside gets a GodwitError `cannot_move`
   * if there were other functions of the host on the stack than this import: then the run is lost.
   */
  unwind(): never {
    if (this.#unwinder !== null) throw stoppedUnwinding();
    this.#unwinder = this.#polling ? 'poll' : 'import';
    throw this.#unwinding;
  }

  /**
   * Ends the program from inside an import: unwinds its stack, past all its handlers of exceptions, and has what was
   * called from outside throw `error`. A plain throw is something that a program can catch.
   */
  leave(error: Error): never {
    this.#leaving = error;
    throw this.#unwinding;
  }

  /** What an exception is that the program threw and did not catch, in words; null if it is none of the program. */
  explain(error: unknown): string | null {
    if (!(error instanceof WebAssembly.Exception)) return null;
    const { original } = this.#program;
    const tag = original.tags.findIndex((_, index) => error.is(this.#instance.tagAt(index)));
    if (tag === -1) return 'uncaught exception of a tag that the program does not show';
    const payload = [...payloadOf(original, tag)].map((type, i) =>
      type === V128 || !isNumeric(type)
        ? original.references.name(type)
        : `${original.references.name(type)} ${String(error.getArg(this.#instance.tagAt(tag), i))}`,
    );
    return `uncaught exception of tag ${tag}${payload.length > 0 ? ` with ${payload.join(', ')}` : ''}`;
  }

  /**
   * Takes up a captured state and runs on.
   * @param entry as for {@link start}, with `args`: a state of the start function runs on to it
   * @param takenUp called in between: all that can fail has been done, and no code has run yet
   * @throws GodwitError `corrupt` if the state does not fit the program, `limit` if the engine has no room for it;
   *   and what {@link start} throws: a forged frame can make the program's code do anything that code can do
   */
  resume(state: MachineState, entry = '_start', takenUp?: () => void, args: readonly unknown[] = []): Outcome {
    // A state that has just arrived goes on as soon as possible; whether it stays is not known.
    const stack = this.#restore(state, 0);
    takenUp?.();
    const outcome = this.#run(state.root, stack);
    if (outcome.type === 'captured' || state.root.type === 'export') return outcome;
    return this.#afterStart(entry, args);
  }

  /**
   * Puts everything back but memory.
   * @param most bytes of code that may be optimised at once
   */
  #restore(state: MachineState, most: number): Stack {
    const { control } = this.#host;
    this.#initTables();
    this.#restoreReferences(state.references);
    this.#restoreExceptions(state.exceptions);
    this.#restoreGlobals(state.globals);
    this.#instance.helper('settle')();
    this.#tables.restore(state);
    const end = SAVE_BASE + state.frames.length;
    this.#reserve(end);
    const area = new Uint8Array(control.buffer);
    area.set(state.frames, SAVE_BASE);
    const root = rootIndex(this.#program.original, state.root);
    const stack = this.#portions.take(this.#continuations.link(area.subarray(SAVE_BASE, end), root, most));
    this.#host.resumed?.(this.#continuations.slow);
    return stack;
  }

  #isUnwinding(error: unknown): boolean {
    return error instanceof WebAssembly.Exception && error.is(this.#instance.unwindTag);
  }

  /** Code cannot return from a poll: if the host wants to go on, the stack is unwound and taken up again. */
  #poll(): never {
    this.#polling = true;
    try {
      this.#host.poll();
      this.#goOn = true;
      this.unwind();
    } finally {
      this.#polling = false;
    }
  }

  #run(root: Root, begin: Stack | (() => unknown)): Outcome {
    this.#goOn = false;
    let outcome = this.#attempt(root, begin);
    while (outcome.type === 'captured' && this.#goOn) {
      this.#goOn = false;
      outcome = this.#attempt(root, this.#restore(outcome.state, MOST_OPTIMISED));
    }
    return outcome;
  }

  #attempt(root: Root, begin: Stack | (() => unknown)): Outcome {
    const stack = typeof begin === 'function' ? null : begin;
    try {
      const value =
        typeof begin === 'function'
          ? begin()
          : this.#portions.run(begin, (error) => this.#isUnwinding(error) || this.#lostFrames);
      if (this.#unwinder !== null) throw stoppedUnwinding();
      return { type: 'returned', value };
    } catch (error) {
      if (this.#leaving !== null) throw this.#leaving;
      if (this.#lostFrames) throw this.#tooDeep(this.#host.control.buffer.byteLength, error);
      if (!this.#isUnwinding(error)) throw this.#afterFailure(error);
      return { type: 'captured', state: this.#capture(root, stack) };
    }
  }

  /**
   * The stack has been unwound: every frame has left its record.
   * @param stack what had been taken up, with the frames that wait; null if the run began anew
   * @throws RangeError if there is no room for them: the stack may be deeper than any of V8, having grown across captures
   */
  #capture(root: Root, stack: Stack | null): MachineState {
    const n = this.#program.numbering;
    const area = (): Uint8Array => new Uint8Array(this.#host.control.buffer);
    const polled = this.#unwinder === 'poll';
    this.#unwinder = null;
    const unwound = area().slice(SAVE_BASE, this.#savePointer.value);
    this.#savePointer.value = SAVE_BASE;
    requireWholeStack(unwound, polled, n);
    const frames = joined([unwound, ...(stack?.waiting.map(({ records }) => records) ?? [])]);
    if (frames.length > LIMITS.capturedStackBytes) throw this.#tooDeep(frames.length);
    const globalBytes = n.stateGlobals.reduce((bytes, { type }) => bytes + savedSize(type), 0);
    this.#reserve(SAVE_BASE + globalBytes);
    this.#instance.helper('saveGlobals')();
    const globals = area().slice(SAVE_BASE, SAVE_BASE + globalBytes);
    // Tables may hold exceptions that nothing else does, so they come first.
    const tables = this.#tables.save();
    const exceptions = this.#exceptions?.take() ?? [];
    const saved = this.#references('functions');
    const references = Int32Array.from(saved, (reference) => this.#instance.indexOf(reference));
    const hostReference =
      (this.#instance.referenceTop('externs').value > 0 &&
        holdsObjects(this.#program, rootIndex(this.#program.original, root), frames, globals)) ||
      references.includes(FOREIGN) ||
      exceptions.includes(null) ||
      tables.some(({ entries }) => entries.includes(FOREIGN));
    // A state that stays keeps its references where they are until it is resumed.
    return { root, frames, globals, references, exceptions, tables, hostReference };
  }

  /** The run has failed. Records may be left of a stack that was unwound only in part. */
  #afterFailure(error: unknown): unknown {
    if (this.#unwinder !== null) this.#savePointer.value = SAVE_BASE;
    this.#unwinder = null;
    return error;
  }

  /** A frame has found no room for its record, and is gone, as those above it are: a trap. */
  get #lostFrames(): boolean {
    return this.#savePointer.value === NO_ROOM;
  }

  /** As V8 says that its stack is exhausted. @param bytes of records that there are, or nearly */
  #tooDeep(bytes: number, cause?: unknown): RangeError {
    this.#savePointer.value = SAVE_BASE;
    this.#unwinder = null;
    const mebibytes = Math.round(bytes / 2 ** 20);
    return new RangeError(`the stack is too deep to be captured: there is no room for more than ${mebibytes} MiB`, {
      cause,
    });
  }

  #savedExceptions(): SavedExceptions {
    return new SavedExceptions(
      this.#program.original,
      this.#host.control,
      this.#instance.referenceTop('exceptions'),
      this.#instance.helper('takeException'),
      this.#instance.helper('makeException'),
    );
  }

  #references(table: 'functions' | 'externs'): unknown[] {
    const references = this.#instance.table(table);
    return Array.from({ length: this.#instance.referenceTop(table).value }, (_, i) => references.get(i));
  }

  #initTables(): void {
    if (this.#tablesReady) return;
    this.#instance.helper('initTables')();
    this.#tablesReady = true;
  }

  #restoreReferences(references: Int32Array): void {
    const table = this.#instance.table('functions');
    growTo(table, references.length, I32);
    references.forEach((index, i) => {
      if (index !== FOREIGN) table.set(i, this.#instance.originalFunction(index));
    });
    // A new capture begins to count anew; it cannot come before all frames have been restored.
    this.#instance.referenceTop('functions').value = 0;
    this.#instance.referenceTop('externs').value = 0;
  }

  #restoreExceptions(exceptions: MachineState['exceptions']): void {
    if (this.#exceptions !== null) this.#exceptions.restore(exceptions);
    else if (exceptions.length > 0) throw new GodwitError('corrupt', 'a state with exceptions');
  }

  #restoreGlobals(globals: Uint8Array): void {
    const { stateGlobals } = this.#program.numbering;
    const expected = stateGlobals.reduce((bytes, { type }) => bytes + savedSize(type), 0);
    if (globals.length !== expected)
      throw new GodwitError('corrupt', `a state with ${globals.length} bytes of globals, ${expected} are wanted`);
    this.#reserve(SAVE_BASE + globals.length);
    new Uint8Array(this.#host.control.buffer).set(globals, SAVE_BASE);
    try {
      this.#instance.helper('restoreGlobals')();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new GodwitError('corrupt', 'a state with a global that refers to nothing', { cause: error });
    }
  }

  #reserve(bytes: number): void {
    const { control } = this.#host;
    const missing = bytes - control.buffer.byteLength;
    if (missing > 0) control.grow(Math.ceil(missing / 65_536));
  }
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((bytes, { length }) => bytes + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
