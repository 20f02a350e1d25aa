/**
 * Which functions a continuation may hold copies of. V8 inlines within a module only, so a loop that was resumed in its
 * middle would call across modules, for ever, what the original has inlined.
 *
 * A copy does what its original does, and its frames are the original's: it is written by the same rewriter, with the
 * same sites. References to functions stay references to the originals.
 */
import { LIMITS } from '../../base/limits.ts';
import type { ElementSegment, Module, Range } from '../../wasm/module.ts';
import { typeOf } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { WasmReader } from '../../wasm/reader.ts';
import { I32, sameTypes } from '../../wasm/types.ts';
import { BodyRewriter } from '../rewriting/body.ts';
import type { Facts } from '../layout/facts.ts';
import type { Numbering } from '../layout/numbering.ts';
import { MainTarget } from '../rewriting/target.ts';

/** Bytes of a function that may be copied: V8 inlines none that is larger (`GUEST_OPTIONS`). */
const LARGEST_COPY = 1000;

/** A function that a table holds. */
export interface TableEntry {
  readonly entry: number;
  readonly index: number;
}

/** What a module does with its tables besides what its code does: found in one pass for all of them, when first asked for. */
interface TableUses {
  readonly exported: ReadonlySet<number>;
  /** By table: the segments that are placed in it at first. */
  readonly segments: ReadonlyMap<number, readonly ElementSegment[]>;
}

function usesOfTables({ exports, elements }: Module): TableUses {
  const exported = new Set(exports.filter(({ kind }) => kind === 'table').map(({ index }) => index));
  const placed = elements.filter(({ placement }) => placement !== null);
  return { exported, segments: Map.groupBy(placed, ({ placement }) => placement!.target) };
}

export class Callees {
  readonly #module: Module;
  readonly #facts: Facts;
  readonly #rewriter: BodyRewriter;
  readonly #sizes = new Map<number, number | null>();
  /** By table; null if its entries are not known for ever. */
  readonly #tables = new Map<number, readonly TableEntry[] | null>();
  #uses: TableUses | null = null;

  constructor(module: Module, facts: Facts, numbering: Numbering) {
    this.#module = module;
    this.#facts = facts;
    this.#rewriter = new BodyRewriter(module, facts, new MainTarget(module, numbering));
  }

  /**
   * Bytes of the copy of a function; null if it has to stay alone. One with a loop has: it would begin anew in V8's
   * baseline code, where the original may have been optimised. So has one that may call itself.
   */
  size(index: number): number | null {
    let size = this.#sizes.get(index);
    if (size === undefined) this.#sizes.set(index, (size = this.#measure(index)));
    return size;
  }

  #measure(index: number): number | null {
    const { importedFunctions, bodyStarts, bodyEnds } = this.#module;
    if (index < importedFunctions || this.#facts.entryPolls[index] === 1) return null;
    const body = index - importedFunctions;
    if (bodyEnds[body]! - bodyStarts[body]! > LARGEST_COPY) return null;
    this.#rewriter.rewrite(index);
    const { length } = this.#rewriter.out;
    return this.#rewriter.hasLoops || length > LARGEST_COPY ? null : length;
  }

  /** Whether it is known for ever what a table holds. */
  isFixed(table: number): boolean {
    return this.#entries(table) !== null;
  }

  #entries(table: number): readonly TableEntry[] | null {
    let entries = this.#tables.get(table);
    if (entries === undefined) this.#tables.set(table, (entries = this.#contents(table)));
    return entries;
  }

  /** What a call of this type through a table can reach, in the order of entries; nothing if that can change. */
  targets(table: number, type: number): readonly TableEntry[] {
    const { params, results } = this.#module.types[type]!;
    return (this.#entries(table) ?? []).filter(({ index }) => {
      const target = typeOf(this.#module, index);
      return sameTypes(target.params, params) && sameTypes(target.results, results);
    });
  }

  #contents(table: number): readonly TableEntry[] | null {
    const { importedTables, tables } = this.#module;
    const { init, address } = tables[table]!;
    if (table < importedTables || this.#facts.changedTables[table] !== 0 || init !== null || address !== I32)
      return null;
    // The host may put something else into it.
    const { exported, segments } = (this.#uses ??= usesOfTables(this.#module));
    if (exported.has(table)) return null;
    const own = segments.get(table) ?? [];
    if (own.reduce((sum, { entries: placed }) => sum + placed.length, 0) > LIMITS.knownTableEntries) return null;
    const entries = new Map<number, number>();
    for (const { placement, entries: placed } of own) {
      if (placement === null) continue;
      const start = this.#constant(placement.offset);
      // What an imported global says is not known here.
      if (start === null || placed.some((index) => index < -1)) return null;
      placed.forEach((index, i) => entries.set(start + i, index));
    }
    return Array.from(entries, ([entry, index]) => ({ entry, index }))
      .filter(({ index }) => index >= 0)
      .sort((a, b) => a.entry - b.entry);
  }

  /** The value of a lone `i32.const`, null for other expressions. */
  #constant({ start, end }: Range): number | null {
    const r = new WasmReader(this.#module.bytes, start, end);
    if (r.u8() !== OP.i32Const) return null;
    const value = r.signed(32) >>> 0;
    return r.pos === end ? value : null;
  }
}
