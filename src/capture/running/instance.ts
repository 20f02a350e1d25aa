/**
 * An instance of a rewritten module, as its machine and the continuations reach into it: the helpers, tables, globals
 * and tags that the rewriter has exported under names of its own, and functions by their numbers.
 */
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { memoryName } from '../layout/entries.ts';
import { GODWIT } from '../layout/facts.ts';
import type { Host } from './host.ts';
import type { AppendedTable, ExceptionHelper, FixedHelper, SavedReference } from '../layout/numbering.ts';
import type { Program } from './program.ts';
import type { Root } from './state.ts';

export type AnyFunction = (...args: unknown[]) => unknown;

/** A function that the engine's own code exports. */
export function exportedFunction({ exports }: WebAssembly.Instance, name: string): AnyFunction {
  const value = exports[name];
  assert(typeof value === 'function', `the module exports no function ${name}`);
  return value as AnyFunction;
}

/** Stands for a reference that only this instance knows. */
export const FOREIGN = -2;

export class RewrittenInstance {
  /** Of the exceptions that unwind. */
  readonly unwindTag: WebAssembly.Tag;
  readonly #program: Program;
  readonly #memories: WebAssembly.ModuleImports;
  readonly #instance: WebAssembly.Instance;
  /** Functions that have been asked for. */
  readonly #functions = new Map<number, AnyFunction>();

  /** @throws as instantiating does: an import is missing or of another type */
  constructor(program: Program, { imports, memories, control }: Host) {
    this.#program = program;
    // As the rewritten module and its continuations import them.
    this.#memories = { control, ...Object.fromEntries(memories.map((memory, index) => [memoryName(index), memory])) };
    this.#instance = new WebAssembly.Instance(program.rewritten, { ...imports, [GODWIT]: this.#memories });
    this.unwindTag = this.#export('unwind');
  }

  /** The program's own exports. */
  get exports(): WebAssembly.Exports {
    return this.#instance.exports;
  }

  helper(name: FixedHelper | ExceptionHelper): AnyFunction {
    return exportedFunction(this.#instance, `${GODWIT}:${name}`);
  }

  /** The appended table of this name. */
  table(name: AppendedTable): WebAssembly.Table {
    return this.tableAt(this.#program.numbering.table(name));
  }

  tableAt(index: number): WebAssembly.Table {
    return this.#export(`table${index}`) as WebAssembly.Table;
  }

  tagAt(index: number): WebAssembly.Tag {
    return this.#export(`tag${index}`);
  }

  /** The end of the save area. */
  savePointer(): WebAssembly.Global<number> {
    return this.#globalAt(this.#program.numbering.savePointer) as WebAssembly.Global<number>;
  }

  /** How many references of the kind are saved. */
  referenceTop(kind: SavedReference): WebAssembly.Global<number> {
    return this.#globalAt(this.#program.numbering.referenceTop(kind)) as WebAssembly.Global<number>;
  }

  /** What is called from outside. @throws GodwitError `not_runnable` if the program exports no such function */
  rootFunction(root: Root): AnyFunction {
    const value = root.type === 'start' ? this.#export('start') : this.#instance.exports[root.name];
    if (typeof value !== 'function')
      throw new GodwitError('not_runnable', `the program exports no function ${rootText(root)}`);
    return value as AnyFunction;
  }

  /** A function of the original by its index there. @throws GodwitError `corrupt` if there is none */
  originalFunction(index: number): AnyFunction {
    const { functions } = this.#program.numbering;
    if (index < 0 || index >= functions) throw new GodwitError('corrupt', `a state with function ${index}`);
    return this.#function(this.#program.numbering.wrapper(index));
  }

  /**
   * The original's index of a function of this instance: the JavaScript interface makes the index the name of the
   * function object. {@link FOREIGN} if it is another instance's function or the host's.
   */
  indexOf(reference: unknown): number {
    if (typeof reference !== 'function') return FOREIGN;
    const index = Number(reference.name);
    const { functions, firstWrapper, imports } = this.#program.numbering;
    if (!Number.isInteger(index) || index < 0 || index >= firstWrapper + imports) return FOREIGN;
    if (this.#function(index) !== reference) return FOREIGN;
    return index < functions ? index : index - firstWrapper;
  }

  /**
   * All that a continuation imports.
   * @param continuations the table of continuations
   * @param functions by their indices in the rewritten module
   */
  continuationImports(continuations: WebAssembly.Table, functions: readonly number[]): WebAssembly.ModuleImports {
    const { numbering } = this.#program;
    const imports: WebAssembly.ModuleImports = { ...this.#memories, unwind: this.unwindTag, continuations };
    for (let i = 0; i < numbering.firstTable; i++) imports[`table${i}`] = this.tableAt(i);
    for (let i = 0; i < numbering.unwindTag; i++) imports[`tag${i}`] = this.tagAt(i);
    for (let i = 0; i <= numbering.savePointer; i++) imports[`global${i}`] = this.#globalAt(i);
    functions.forEach((index, i) => {
      imports[`f${i}`] = this.#function(index);
    });
    return imports;
  }

  /** A function of the rewritten module by its index there. */
  #function(index: number): AnyFunction {
    let found = this.#functions.get(index);
    if (found === undefined) {
      this.helper('place')(index);
      found = this.table('scratch').get(0) as AnyFunction;
      this.#functions.set(index, found);
    }
    return found;
  }

  #globalAt(index: number): WebAssembly.Global {
    return this.#export(`global${index}`) as WebAssembly.Global;
  }

  #export(name: string): WebAssembly.ExportValue {
    const value = this.#instance.exports[`${GODWIT}:${name}`];
    assert(value !== undefined, `the rewritten module has no ${name}`);
    return value;
  }
}

function rootText(root: Root): string {
  return root.type === 'start' ? 'to start with' : JSON.stringify(root.name);
}
