/** A decoded module: what the sections say, with function bodies and segments as byte ranges of the original. */
import type { ReferenceTypes } from './references.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

/** Bytes `start` to `end` of the module file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Limits {
  readonly minimum: number;
  readonly maximum: number | null;
}

/** How code addresses a memory or a table: I32 or I64. */
export interface Addressed extends Limits {
  readonly address: ValueType;
}

export interface MemoryType extends Addressed {
  readonly shared: boolean;
}

export interface TableType extends Addressed {
  readonly element: ValueType;
  /** The constant expression for its first entries, without the final `end`; null: they are null. */
  readonly init: Range | null;
}

export interface GlobalType {
  readonly type: ValueType;
  readonly mutable: boolean;
}

export type Import = { readonly module: string; readonly name: string } & (
  | { readonly kind: 'function'; readonly type: number }
  | { readonly kind: 'table'; readonly table: TableType }
  | { readonly kind: 'memory'; readonly memory: MemoryType }
  | { readonly kind: 'global'; readonly global: GlobalType }
  | { readonly kind: 'tag'; readonly type: number }
);

/** In the order of their numbers in the format. */
export const EXTERNAL_KINDS = ['function', 'table', 'memory', 'global', 'tag'] as const;
export type ExternalKind = (typeof EXTERNAL_KINDS)[number];

export interface Export {
  readonly name: string;
  readonly kind: ExternalKind;
  readonly index: number;
}

/** A defined global; `init` is its constant expression without the final `end`. */
export interface DefinedGlobal extends GlobalType {
  readonly init: Range;
}

/** Where an active segment goes; `offset` is a constant expression without the final `end`. */
export interface Placement {
  readonly target: number;
  readonly offset: Range;
}

export interface ElementSegment {
  readonly mode: 'active' | 'passive' | 'declared';
  readonly placement: Placement | null;
  readonly type: ValueType;
  /** Each a function index, -1 for null, or `-2 - g` for the value of the imported global g. */
  readonly entries: Int32Array;
}

export interface DataSegment {
  readonly placement: Placement | null;
  readonly content: Range;
}

export interface CustomSection {
  readonly name: string;
  readonly content: Range;
}

export interface Module {
  readonly bytes: Uint8Array;
  readonly types: readonly FunctionType[];
  readonly references: ReferenceTypes;
  /** The entries of the type section, without their count. */
  readonly typeEntries: Range;
  readonly imports: readonly Import[];
  /** Type index of every function, imported ones first. */
  readonly functionTypes: Uint32Array;
  readonly importedFunctions: number;
  readonly tables: readonly TableType[];
  readonly importedTables: number;
  /** Imported ones first. */
  readonly memories: readonly MemoryType[];
  /** Type index of every exception tag, imported ones first. */
  readonly tags: readonly number[];
  readonly importedTags: number;
  readonly globals: readonly GlobalType[];
  readonly definedGlobals: readonly DefinedGlobal[];
  readonly exports: readonly Export[];
  readonly start: number | null;
  readonly elements: readonly ElementSegment[];
  readonly dataCount: number | null;
  readonly datas: readonly DataSegment[];
  /** Functions that `ref.func` may name: by function index, 1 if declared. */
  readonly declared: Uint8Array;
  /** Start of each defined function's body: its local declarations. */
  readonly bodyStarts: Uint32Array;
  readonly bodyEnds: Uint32Array;
  readonly customs: readonly CustomSection[];
}

/** What a module imports, as whoever provides it sees it; the type is that of a function, null for others. */
export interface Imported {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  readonly type: FunctionType | null;
}

export function importsOf({ imports, types }: Pick<Module, 'imports' | 'types'>): Imported[] {
  return imports.map((entry) => {
    const { module, name, kind } = entry;
    return { module, name, kind, type: kind === 'function' ? types[entry.type]! : null };
  });
}

/** The types of the values that exceptions of tag `index` carry. The caller has checked the index. */
export function payloadOf(module: Module, index: number): TypeList {
  return module.types[module.tags[index]!]!.params;
}

/** The type of function `index`. The caller has checked the index. */
export function typeOf(module: Module, index: number): FunctionType {
  return module.types[module.functionTypes[index]!]!;
}
