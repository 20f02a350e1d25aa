/**
 * Where code is written to: the rewritten module itself or a continuation module. Both share the code that rewrites
 * bodies; only the numbers of functions and types differ.
 */
import { LIMITS } from '../../base/limits.ts';
import type { Module } from '../../wasm/module.ts';
import type { FunctionType, TypeList } from '../../wasm/types.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { NotMovable } from '../code/not-movable.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import type { SaveSignature } from '../layout/frame.ts';
import type { SegmentUse } from '../analysis/graph.ts';
import type { Numbering } from '../layout/numbering.ts';
import type { WaitUse } from '../analysis/wait-uses.ts';

export interface CodeTarget {
  readonly types: TypeTable;
  /** The module's function that does what the original's function `index` does; for an import its wrapper. */
  functionIndex(index: number): number;
  /** The helper that asks the host what to do. */
  readonly poll: number;
  saveHelper(signature: SaveSignature): number;
  /** The helper that carries out a segment instruction, or null if the module can name the segment itself. */
  segmentHelper(use: SegmentUse): number | null;
  /** The helper that waits or wakes in place of an instruction. */
  waitHelper(use: WaitUse): number;
  /** The helper that carries out a bulk instruction of more than a piece. */
  bulkHelper(use: BulkUse): number;
  readonly unwindTag: number;
  readonly controlMemory: number;
}

/** The original's types, and behind them those that the engine needs in addition. */
export class TypeTable {
  readonly #module: Module;
  readonly #byKey = new Map<string, number>();
  /** The same by the lists themselves, of which each type of the original has one: a key is as long as a type. */
  readonly #byLists = new WeakMap<TypeList, WeakMap<TypeList, number>>();
  readonly #added: FunctionType[] = [];

  constructor(module: Module) {
    this.#module = module;
    module.types.forEach((type, index) => {
      const key = keyOf(type.params, type.results);
      if (!this.#byKey.has(key)) this.#byKey.set(key, index);
    });
  }

  /**
   * The index of a type with this signature; appended if there is none.
   * @throws NotMovable if V8 does not take such a type
   */
  index(params: TypeList, results: TypeList): number {
    let byResults = this.#byLists.get(params);
    if (byResults === undefined) this.#byLists.set(params, (byResults = new WeakMap()));
    let index = byResults.get(results);
    if (index === undefined) byResults.set(results, (index = this.#index(params, results)));
    return index;
  }

  #index(params: TypeList, results: TypeList): number {
    const key = keyOf(params, results);
    const found = this.#byKey.get(key);
    if (found !== undefined) return found;
    // A clause that throws on has the exception besides what its tag carries.
    if (Math.max(params.length, results.length) > LIMITS.typeValues) {
      throw new NotMovable(`a block would have to pass on more than ${LIMITS.typeValues} values`);
    }
    const index = this.#module.types.length + this.#added.length;
    this.#added.push({ params, results });
    this.#byKey.set(key, index);
    return index;
  }

  at(index: number): FunctionType | undefined {
    return this.#module.types[index] ?? this.#added[index - this.#module.types.length];
  }

  writeBlockType(out: WasmWriter, params: TypeList, results: TypeList): void {
    if (params.length > 0 || results.length > 1) out.s32(this.index(params, results));
    else if (results.length === 0) out.u8(0x40);
    else this.#module.references.write(out, results[0]!);
  }

  writeSection(module: WasmWriter): void {
    const { references, typeEntries } = this.#module;
    const { start, end } = typeEntries;
    const section = new WasmWriter(end - start + 64 * (this.#added.length + 1));
    section.u32(this.#module.types.length + this.#added.length);
    section.copy(this.#module.bytes, start, end);
    for (const { params, results } of this.#added) {
      section.u8(0x60);
      references.writeAll(section, params);
      references.writeAll(section, results);
    }
    module.section(1, section);
  }
}

function keyOf(params: TypeList, results: TypeList): string {
  return `${params.join()}:${results.join()}`;
}

/** The rewritten module as a place to write code to: numbers stay, but for imports, which have wrappers. */
export class MainTarget implements CodeTarget {
  readonly types: TypeTable;
  readonly #n: Numbering;
  readonly poll: number;
  readonly unwindTag: number;
  readonly controlMemory: number;

  constructor(module: Module, numbering: Numbering) {
    this.types = new TypeTable(module);
    this.#n = numbering;
    this.poll = numbering.fixed('poll');
    this.unwindTag = numbering.unwindTag;
    this.controlMemory = numbering.controlMemory;
  }

  functionIndex(index: number): number {
    return this.#n.wrapper(index);
  }

  saveHelper(signature: SaveSignature): number {
    return this.#n.saveHelper(signature);
  }

  segmentHelper(use: SegmentUse): number | null {
    return use.kind === 'data.drop' || use.kind === 'elem.drop' ? this.#n.segmentHelper(use) : null;
  }

  waitHelper(use: WaitUse): number {
    return this.#n.waitHelper(use);
  }

  bulkHelper(use: BulkUse): number {
    return this.#n.bulkHelper(use);
  }
}
