/**
 * A program that can be run: the original's bytes, the compiled rewritten module, and what follows from them. All of
 * it can be shared by the threads of a process: the bytes may lie in shared memory, and a WebAssembly.Module can be
 * posted.
 *
 * Whoever only starts a program needs the original's sections up to the code (they are decoded at once) and the
 * rewritten module; whoever resumes one needs the original's function bodies too, since continuations are made from
 * them. The bytes of the rewritten module are needed for compiling only.
 */
import { GodwitError } from '../../base/errors.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { importsOf } from '../../wasm/module.ts';
import type { Export, Import, Imported, Module } from '../../wasm/module.ts';
import { isUseOf } from '../analysis/bulk-uses.ts';
import { GODWIT, decodeFacts } from '../layout/facts.ts';
import type { Facts } from '../layout/facts.ts';
import { Linker } from '../continuation/link.ts';
import type { ContinuationSpeed } from '../continuation/link.ts';
import type { SeenCalls } from '../continuation/loop-calls.ts';
import { sizeOf } from '../layout/memory.ts';
import type { MemorySize } from '../layout/memory.ts';
import { Numbering } from '../layout/numbering.ts';
import { rewrite } from '../rewriting/rewrite.ts';

/** A compiled continuation, and the functions of the rewritten module that it imports. */
export interface CompiledContinuation {
  readonly module: WebAssembly.Module;
  readonly functions: readonly number[];
  /** Bytes of its code. */
  readonly codeBytes: number;
  readonly speed: ContinuationSpeed;
  /** Which calls it notes, in the order of its globals for that. */
  readonly notes: readonly number[];
}

export class Program {
  /** Why it could never be captured: it can. */
  readonly reason: null = null;
  readonly original: Module;
  readonly rewritten: WebAssembly.Module;
  readonly facts: Facts;
  readonly numbering: Numbering;
  readonly linker: Linker;
  readonly #continuations = new Map<string, CompiledContinuation>();

  private constructor(original: Module, rewritten: WebAssembly.Module, facts: Facts) {
    this.original = original;
    this.rewritten = rewritten;
    this.facts = facts;
    this.numbering = new Numbering(original, facts);
    this.linker = new Linker(original, facts, this.numbering);
  }

  /**
   * Rewrites and compiles a module. Whoever runs it often, or in several threads, does that once and uses {@link open}.
   * @param original a core module in the binary format
   * @throws GodwitError as `rewrite` does
   */
  static compile(original: Uint8Array): Program {
    return Program.open(original, new WebAssembly.Module(rewrite(original).module));
  }

  /**
   * @param original the module as it was before rewriting
   * @param rewritten the compiled result of `rewrite(original)` of the same engine version
   * @throws GodwitError `version_mismatch` or `corrupt` if the two do not belong together
   */
  static open(original: Uint8Array, rewritten: WebAssembly.Module): Program {
    const [section] = WebAssembly.Module.customSections(rewritten, GODWIT);
    if (section === undefined) throw new GodwitError('corrupt', 'the module was not rewritten by Godwit');
    const facts = decodeFacts(new Uint8Array(section));
    if (facts.originalBytes !== original.length) {
      throw new GodwitError('corrupt', `the module was rewritten from another of ${facts.originalBytes} bytes`);
    }
    const module = decodeModule(original);
    if (
      facts.capturable.length !== module.functionTypes.length ||
      facts.capturableTypes.length !== module.types.length ||
      facts.waitUses.some(({ memory }) => memory >= module.memories.length) ||
      facts.bulkUses.some((use) => !isUseOf(module, use))
    ) {
      throw new GodwitError('corrupt', 'the module was rewritten from another one');
    }
    return new Program(module, rewritten, facts);
  }

  /** All imports, with the types of functions. */
  get imported(): readonly Imported[] {
    return importsOf(this.original);
  }

  /** What the host has to provide, memories excepted: those are {@link memories}, under whatever names they were imported. */
  get imports(): readonly Import[] {
    return this.original.imports.filter(({ kind }) => kind !== 'memory');
  }

  get exports(): readonly Export[] {
    return this.original.exports;
  }

  /** Sizes of the memories that the host must make, by their numbers in the module. */
  get memories(): readonly MemorySize[] {
    return this.original.memories.map(sizeOf);
  }

  /** The number of the memory that the program shows its host: exported as `memory`, or else the first one. */
  get hostMemory(): number {
    return this.exports.find(({ kind, name }) => kind === 'memory' && name === 'memory')?.index ?? 0;
  }

  /**
   * The continuation of (function, site), made and compiled when first asked for, and once more when it may be optimised.
   * @param most bytes of code that may be optimised at once: it takes about a millisecond for each 1000
   * @param seen what is known of the calls in the function's loops
   */
  continuation(index: number, site: number, most: number, seen: SeenCalls): CompiledContinuation {
    const key = `${index}.${site}`;
    const found = this.#continuations.get(key);
    if (found !== undefined && (found.speed !== 'slow' || found.codeBytes > most)) return found;
    const { bytes, ...facts } = this.linker.continuation(index, site, most, seen);
    const made = { module: new WebAssembly.Module(bytes), ...facts };
    this.#continuations.set(key, made);
    return made;
  }
}
