/** What random code of a generated module (generator.ts) can refer to. */
import type { ReferenceTypes } from '../../wasm/references.ts';
import type { ValueType } from '../../wasm/types.ts';

export interface Signature {
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** What code of a module can refer to. */
export interface Surroundings {
  /** Imported and defined functions, in the order in which the table holds them from place 1 on. */
  readonly functions: readonly Signature[];
  /** One mutable global of each type. */
  readonly globals: readonly { readonly index: number; readonly type: ValueType }[];
  /** Types of locals and operands. */
  readonly types: readonly ValueType[];
  /** A global that is counted down; at 0 the program hurries to its end. */
  readonly fuel: number;
  readonly table: number;
  readonly tableSize: number;
  /** Whether code changes the table. */
  readonly changesTable: boolean;
  /** By memory, and of the table: whether addresses have 64 bits. */
  readonly memories: readonly boolean[];
  /** By memory. */
  readonly shared: readonly boolean[];
  readonly wideTable: boolean;
  readonly references: ReferenceTypes;
  /** A type of functions that there are references to, and the types of these: with null, and without. */
  readonly referred: { readonly type: number; readonly orNull: ValueType; readonly exact: ValueType };
  /** How exceptions are handled, if at all, and what those of each tag carry. */
  readonly exceptions: 'none' | 'references' | 'legacy';
  readonly tags: readonly (readonly ValueType[])[];
  type(params: readonly ValueType[], results: readonly ValueType[]): number;
}
