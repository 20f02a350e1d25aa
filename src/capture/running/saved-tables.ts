/** The tables of a state, from the host's side: what code can change of them, entry by entry. */
import { GodwitError } from '../../base/errors.ts';
import type { Module } from '../../wasm/module.ts';
import { EXNREF, FUNCREF, I64 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { FOREIGN } from './instance.ts';
import type { AnyFunction, RewrittenInstance } from './instance.ts';
import type { MachineState, TableContent } from './state.ts';

export class SavedTables {
  readonly #module: Module;
  readonly #changed: Uint8Array;
  readonly #instance: RewrittenInstance;

  /** @param changed by table: 1 if code can change it */
  constructor(module: Module, changed: Uint8Array, instance: RewrittenInstance) {
    this.#module = module;
    this.#changed = changed;
    this.#instance = instance;
  }

  save(): TableContent[] {
    const { tables } = this.#module;
    return tables.flatMap(({ address }, table) => {
      if (this.#changed[table] !== 1) return [];
      const live = this.#instance.tableAt(table);
      const length = Number(live.length);
      const top = this.#top(table);
      const entry = (i: number): number => {
        // By its place among the saved exceptions.
        if (top === EXNREF) return Number(this.#instance.helper('saveEntry')(table, i)) - 1;
        const found: unknown = live.get(tableIndex(i, address));
        if (found === null) return -1;
        return top === FUNCREF ? this.#instance.indexOf(found) : FOREIGN;
      };
      return [{ table, entries: Int32Array.from({ length }, (_, i) => entry(i)) }];
    });
  }

  #top(table: number): ValueType {
    return this.#module.references.top(this.#module.tables[table]!.element);
  }

  /** @throws GodwitError `corrupt` or `limit` */
  restore({ tables, exceptions }: MachineState): void {
    for (const content of tables) {
      const { table, entries } = content;
      if (this.#changed[table] !== 1) throw new GodwitError('corrupt', `a state with table ${table}`);
      if (entries.length < Number(this.#instance.tableAt(table).length))
        throw new GodwitError('corrupt', `a state with a table of ${entries.length} entries`);
      if (this.#top(table) === EXNREF) this.#restoreExceptions(content, exceptions.length);
      else this.#restoreReferences(content);
    }
  }

  #restoreReferences({ table, entries }: TableContent): void {
    const live = this.#instance.tableAt(table);
    const { address } = this.#module.tables[table]!;
    // A table that has no null may grow by any of its entries.
    const known = entries.find((index) => index >= 0);
    growTo(live, entries.length, address, known === undefined ? null : this.#instance.originalFunction(known));
    entries.forEach((index, i) => {
      if (index === -1) live.set(tableIndex(i, address), null);
      else if (index !== FOREIGN) live.set(tableIndex(i, address), this.#instance.originalFunction(index));
    });
  }

  #restoreExceptions({ table, entries }: TableContent, exceptions: number): void {
    if (entries.some((entry) => entry >= exceptions)) throw new GodwitError('corrupt', 'a table of no such exception');
    try {
      entries.forEach((entry, i) => this.#instance.helper('restoreEntry')(table, i, entry + 1));
    } catch (error) {
      throw new GodwitError('limit', `a state with a table of ${entries.length} entries`, { cause: error });
    }
  }
}

/**
 * @param entry what the table gets for the time being
 * @throws GodwitError `limit` if the table's own maximum or the engine's does not allow it
 */
export function growTo(
  table: WebAssembly.Table,
  length: number,
  address: ValueType,
  entry: AnyFunction | null = null,
): void {
  const missing = length - Number(table.length);
  if (missing <= 0) return;
  try {
    table.grow(tableIndex(missing, address), entry);
  } catch (error) {
    throw new GodwitError('limit', `a state with a table of ${length} entries`, { cause: error });
  }
}

/** An index as the JavaScript interface wants it. */
function tableIndex(index: number, address: ValueType): number | bigint {
  return address === I64 ? BigInt(index) : index;
}
