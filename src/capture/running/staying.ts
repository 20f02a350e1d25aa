/**
 * Programs that can be run but not captured: since they keep objects of the garbage collector, which nothing outside can
 * read, so that no image can hold them (stay reason `gc_heap`), or since V8 would not take what had to be made of a function
 * (`large_function`). Of such a module only the memories change: they become shared imports like those of rewritten
 * modules, so that calls reach them. Its code is not touched, and so cannot be stopped in between: only a call can.
 */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { GodwitError } from '../../base/errors.ts';
import { functionName } from '../../wasm/names.ts';
import { requireFewEntries } from '../../wasm/external-types.ts';
import { readOutline } from '../../wasm/outline.ts';
import type { Outline } from '../../wasm/outline.ts';
import { requireFewValues } from '../../wasm/value-bound.ts';
import { TooMany, UnsupportedFeature, unsupported } from '../../wasm/reader.ts';
import { GARBAGE_COLLECTION } from '../../wasm/references.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { memoryName, writeMemoryImport } from '../layout/entries.ts';
import { ENGINE_VERSION, GODWIT } from '../layout/facts.ts';
import { requireFreeNames } from '../layout/reserved.ts';
import type { Location } from './locate.ts';
import type { Host } from './host.ts';
import type { Outcome } from './machine.ts';
import { sizeOf } from '../layout/memory.ts';
import type { MemorySize } from '../layout/memory.ts';
import { NotMovable } from '../code/not-movable.ts';

/** Why programs that cannot be captured cannot, and how that is said of a module with threads, which is not even run. */
const REASONS = { gc_heap: 'with garbage collection', large_function: 'with a function too large to be made movable' };
export type StayingReason = keyof typeof REASONS;
/** By their numbers in the custom section. */
const NUMBERED: readonly StayingReason[] = ['gc_heap', 'large_function'];

/** Name of the custom section: u32 engine version, u32 bytes of the original, i32 how far its code was moved, u8 reason. */
const STAYING = `${GODWIT}.staying`;
/** Custom sections with hints for the engine that runs a module begin so (branch hinting and compilation hints proposals). */
const HINTS = 'metadata.code.';

const SECTION = { custom: 0, type: 1, import: 2, memory: 5, code: 10 } as const;

/** Why the engine refused a module that can still be run; null: it cannot, or that was not the engine. */
export function stayingReason(error: unknown): StayingReason | null {
  if (error instanceof NotMovable || error instanceof TooMany) return 'large_function';
  return error instanceof UnsupportedFeature && error.feature === GARBAGE_COLLECTION ? 'gc_heap' : null;
}

/**
 * @param original a module that `rewrite` refuses, see {@link stayingReason}
 * @returns the module as it is run
 * @throws GodwitError `invalid_module`, `unsupported_feature`, `limit`, or `not_runnable` as `rewrite` does
 */
export function shareMemories(original: Uint8Array, reason: StayingReason): Uint8Array<ArrayBuffer> {
  const outline = readOutline(original);
  requireFreeNames(outline);
  requireFewValues(outline);
  requireFewEntries(outline.tableMaxima);
  const shared = outline.memories.find((memory) => memory.shared);
  if (shared !== undefined) unsupported(shared.at, 'threads', REASONS[reason]);
  const out = new WasmWriter(original.length + 4096);
  out.copy(PREAMBLE);
  // A node lets V8 read those that the engine writes (node/v8.ts); those of programs stay without effect.
  const hints = new Set(outline.customs.filter(({ name }) => name.startsWith(HINTS)).map(({ content }) => content.end));
  let shift = 0;
  let imported = false;
  for (const section of outline.sections) {
    // Imports stand behind types and before everything else.
    if (!imported && section.id > SECTION.type) {
      imported = true;
      writeImports(out, outline);
    }
    if (section.id === SECTION.import || section.id === SECTION.memory || hints.has(section.end)) continue;
    if (section.id === SECTION.code) shift = out.length - section.head;
    out.copy(original, section.head, section.end);
  }
  if (!imported) writeImports(out, outline);
  const facts = new ByteWriter(16);
  facts.u32(ENGINE_VERSION);
  facts.u32(original.length);
  facts.u32(shift >>> 0);
  facts.u8(NUMBERED.indexOf(reason));
  const content = new WasmWriter(16);
  content.copy(facts.done());
  out.custom(STAYING, content);
  return out.done();
}

function writeImports(out: WasmWriter, { bytes, imports, memories }: Outline): void {
  const others = imports.filter(({ kind }) => kind !== 'memory');
  const section = new WasmWriter(1024);
  section.u32(others.length + memories.length);
  for (const { entry } of others) section.copy(bytes, entry.start, entry.end);
  memories.forEach((memory, index) => writeMemoryImport(section, memoryName(index), sizeOf(memory)));
  out.section(SECTION.import, section);
}

/** A program that stays, with what there is to know of it; like a `Program` it can be used by all threads of a process. */
export class StayingProgram {
  readonly reason: StayingReason;
  readonly outline: Outline;
  readonly rewritten: WebAssembly.Module;
  readonly #shift: number;

  private constructor(outline: Outline, rewritten: WebAssembly.Module, shift: number, reason: StayingReason) {
    this.reason = reason;
    this.outline = outline;
    this.rewritten = rewritten;
    this.#shift = shift;
  }

  /**
   * @param rewritten the compiled result of {@link shareMemories}
   * @returns null if it is another module
   * @throws GodwitError `version_mismatch` or `corrupt` if the two do not belong together
   */
  static open(original: Uint8Array, rewritten: WebAssembly.Module): StayingProgram | null {
    const [section] = WebAssembly.Module.customSections(rewritten, STAYING);
    if (section === undefined) return null;
    const r = new ByteReader(new Uint8Array(section));
    const version = r.u32();
    if (version !== ENGINE_VERSION) {
      throw new GodwitError('version_mismatch', `the module is of engine ${version}; this is ${ENGINE_VERSION}`);
    }
    if (r.u32() !== original.length) throw new GodwitError('corrupt', 'the module was made from another one');
    const shift = r.u32() | 0;
    const reason = NUMBERED[r.u8()];
    if (reason === undefined) throw new GodwitError('corrupt', 'the module says of no known reason why it stays');
    return new StayingProgram(readOutline(original), rewritten, shift, reason);
  }

  /** All imports, with the types of functions as far as they are known. */
  get imported(): Outline['imports'] {
    return this.outline.imports;
  }

  get exports(): Outline['exports'] {
    return this.outline.exports;
  }

  /** Sizes of the memories that the host must make, by their numbers in the module. */
  get memories(): readonly MemorySize[] {
    return this.outline.memories.map(sizeOf);
  }

  /** See `Program`. */
  get hostMemory(): number {
    return this.exports.find(({ kind, name }) => kind === 'memory' && name === 'memory')?.index ?? 0;
  }

  /** The program's frames on the stack of an error, innermost first: its code is as it was, only in another place. */
  locate(error: Error): Location[] {
    const entries = (error.stack ?? '').matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/gm);
    return Array.from(entries, ([, index, offset]) => ({
      index: Number(index),
      name: functionName(this.outline, Number(index)),
      offset: Number.parseInt(offset ?? '', 16) - this.#shift,
    }));
  }
}

/** (func (export "t") unreachable) */
function trapModule(): WebAssembly.Module {
  const out = new WasmWriter(64);
  out.copy(PREAMBLE);
  out.raw(1, 4, 1, 0x60, 0, 0);
  out.raw(3, 2, 1, 0);
  out.raw(7, 5, 1, 1, 0x74, 0, 0);
  out.raw(10, 5, 1, 3, 0, 0, 0x0b);
  return new WebAssembly.Module(out.done());
}

/** Runs a program that stays: what a Machine is for others. */
export class StayingMachine {
  readonly #program: StayingProgram;
  readonly #imports: WebAssembly.Imports;
  #leaving: Error | null = null;

  constructor(program: StayingProgram, { imports, memories }: Pick<Host, 'imports' | 'memories'>) {
    this.#program = program;
    this.#imports = {
      ...imports,
      [GODWIT]: Object.fromEntries(memories.map((memory, index) => [memoryName(index), memory])),
    };
  }

  /** There is nothing to do before the start: instantiating runs the start function already. */
  prepare(): void {}

  /**
   * Runs the program from its beginning to its end.
   * @throws what the program's code or its host throws
   */
  start(entry = '_start'): Outcome {
    try {
      const run = new WebAssembly.Instance(this.#program.rewritten, this.#imports).exports[entry];
      const value: unknown = typeof run === 'function' ? (run as () => unknown)() : undefined;
      if (this.#leaving === null) return { type: 'returned', value };
    } catch (error) {
      if (this.#leaving === null) throw error;
    }
    throw this.#leaving;
  }

  /** Nothing of a program that stays was ever captured. */
  resume(): never {
    throw new GodwitError('corrupt', 'a state of a program that cannot be captured');
  }

  /** Whoever asks for a capture has to look at the stay reasons first. */
  unwind(): never {
    throw new GodwitError('internal', `${this.#program.reason}: the program cannot be captured`);
  }

  /**
   * Ends the program from inside an import: whatever called it from outside throws `error`. A program can catch what a
   * host throws, but not a trap.
   */
  leave(error: Error): never {
    this.#leaving = error;
    const { t: trap } = new WebAssembly.Instance(trapModule()).exports;
    (trap as () => never)();
    throw error;
  }

  /** See Machine; what is in an exception cannot be told. */
  explain(error: unknown): string | null {
    return error instanceof WebAssembly.Exception ? 'uncaught exception' : null;
  }
}
