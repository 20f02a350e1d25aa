/**
 * The numbers of everything that the rewriter appends to a module. Nothing is ever inserted, so every number of the
 * original stays right, in the rewritten module and, functions excepted, in continuation modules.
 */
import { assert } from '../../base/assert.ts';
import type { Module } from '../../wasm/module.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import { I32 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { bulkKey } from '../analysis/bulk-uses.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import type { Facts } from './facts.ts';
import { signatureKey } from './frame.ts';
import type { SaveSignature } from './frame.ts';
import { segmentKey } from '../analysis/graph.ts';
import type { SegmentUse } from '../analysis/graph.ts';
import { waitKey } from '../analysis/wait-uses.ts';
import type { WaitUse } from '../analysis/wait-uses.ts';

/** Appended functions that every rewritten module has, in their order behind the import wrappers. */
export const FIXED_HELPERS = [
  'poll',
  'reserve',
  'place',
  'initTables',
  'initMemory',
  'settle',
  'saveGlobals',
  'restoreGlobals',
  'pushFunction',
  'pushExtern',
  'savedFunction',
  'savedExtern',
] as const;
export type FixedHelper = (typeof FIXED_HELPERS)[number];

/** Behind those, in modules with exceptions. */
export const EXCEPTION_HELPERS = [
  'pushException',
  'savedException',
  'takeException',
  'makeException',
  'saveEntry',
  'restoreEntry',
] as const;
export type ExceptionHelper = (typeof EXCEPTION_HELPERS)[number];

/** A kind of reference that is saved as a number. */
export type SavedReference = 'functions' | 'externs' | 'exceptions';

/** Appended tables, in their order behind the module's own; the last one only in modules with exceptions. */
export const APPENDED_TABLES = ['host', 'scratch', 'functions', 'externs', 'exceptions'] as const;
export type AppendedTable = (typeof APPENDED_TABLES)[number];

/**
 * Functions that one passive element segment makes reachable: V8 makes an object for each entry of a segment when it
 * is first used, so the segments are small.
 */
export const FUNCTIONS_PER_CHUNK = 256;

/** A mutable global that belongs to the program's state. */
export interface StateGlobal {
  readonly index: number;
  readonly type: ValueType;
  /** As what it is saved: one of SAVED_TYPES. */
  readonly kind: ValueType;
}

export class Numbering {
  readonly references: ReferenceTypes;
  readonly functions: number;
  readonly imports: number;
  /** The first import wrapper; wrapper i stands for imported function i. */
  readonly firstWrapper: number;
  readonly firstFixed: number;
  readonly firstSegmentHelper: number;
  readonly firstWaitHelper: number;
  readonly firstBulkHelper: number;
  readonly firstSaveHelper: number;
  readonly unwindTag: number;
  readonly exceptions: boolean;
  readonly controlMemory: number;
  /** The global that holds the end of the save area; behind it {@link referenceTop} and the flags of dropped segments. */
  readonly savePointer: number;
  readonly firstTable: number;
  readonly firstChunk: number;
  readonly segmentUses: readonly SegmentUse[];
  readonly #segmentHelpers: ReadonlyMap<string, number>;
  /** Uses that drop a segment. */
  readonly drops: readonly SegmentUse[];
  readonly #dropFlags: ReadonlyMap<string, number>;
  readonly waitUses: readonly WaitUse[];
  readonly #waitHelpers: ReadonlyMap<string, number>;
  readonly bulkUses: readonly BulkUse[];
  /** Bytes: see bulk.ts. */
  readonly bulkPiece: number;
  readonly #bulkHelpers: ReadonlyMap<string, number>;
  readonly #saveHelpers = new Map<string, number>();
  readonly #saveSignatures: SaveSignature[] = [];
  readonly stateGlobals: readonly StateGlobal[];

  constructor(
    module: Module,
    facts: Pick<Facts, 'segmentUses' | 'waitUses' | 'bulkUses' | 'bulkPiece' | 'saveHelpers' | 'exceptions'>,
  ) {
    this.references = module.references;
    this.functions = module.functionTypes.length;
    this.imports = module.importedFunctions;
    this.firstWrapper = this.functions;
    this.firstFixed = this.firstWrapper + this.imports;
    this.exceptions = facts.exceptions;
    this.unwindTag = module.tags.length;
    this.firstSegmentHelper = this.firstFixed + this.fixedHelpers.length;
    this.segmentUses = facts.segmentUses;
    this.#segmentHelpers = new Map(this.segmentUses.map((use, i) => [segmentKey(use), this.firstSegmentHelper + i]));
    this.firstWaitHelper = this.firstSegmentHelper + this.segmentUses.length;
    this.waitUses = facts.waitUses;
    this.#waitHelpers = new Map(this.waitUses.map((use, i) => [waitKey(use), this.firstWaitHelper + i]));
    this.firstBulkHelper = this.firstWaitHelper + this.waitUses.length;
    this.bulkUses = facts.bulkUses;
    this.bulkPiece = facts.bulkPiece;
    this.#bulkHelpers = new Map(this.bulkUses.map((use, i) => [bulkKey(use), this.firstBulkHelper + i]));
    this.firstSaveHelper = this.firstBulkHelper + this.bulkUses.length;
    this.controlMemory = module.memories.length;
    this.savePointer = module.globals.length;
    this.firstTable = module.tables.length;
    this.firstChunk = module.elements.length;
    this.drops = this.segmentUses.filter(({ kind }) => kind === 'data.drop' || kind === 'elem.drop');
    const firstFlag = this.savePointer + this.ownGlobals;
    this.#dropFlags = new Map(this.drops.map((use, i) => [segmentKey(use), firstFlag + i]));
    for (const signature of facts.saveHelpers) this.saveHelper(signature);
    const own = module.globals.flatMap(({ mutable, type }, index) =>
      mutable ? [{ index, type, kind: module.references.top(type) }] : [],
    );
    this.stateGlobals = [...own, ...this.drops.map((_, i) => ({ index: firstFlag + i, type: I32, kind: I32 }))];
  }

  wrapper(index: number): number {
    return index < this.imports ? this.firstWrapper + index : index;
  }

  get fixedHelpers(): readonly (FixedHelper | ExceptionHelper)[] {
    return this.exceptions ? [...FIXED_HELPERS, ...EXCEPTION_HELPERS] : FIXED_HELPERS;
  }

  get appendedTables(): readonly AppendedTable[] {
    return this.exceptions ? APPENDED_TABLES : APPENDED_TABLES.slice(0, -1);
  }

  fixed(helper: FixedHelper | ExceptionHelper): number {
    return this.firstFixed + this.fixedHelpers.indexOf(helper);
  }

  table(table: AppendedTable): number {
    return this.firstTable + APPENDED_TABLES.indexOf(table);
  }

  segmentHelper(use: SegmentUse): number {
    const helper = this.#segmentHelpers.get(segmentKey(use));
    assert(helper !== undefined, `a use of segment ${use.segment} that the analysis has not seen`);
    return helper;
  }

  waitHelper(use: WaitUse): number {
    const helper = this.#waitHelpers.get(waitKey(use));
    assert(helper !== undefined, 'a wait that the analysis has not seen');
    return helper;
  }

  /** What the helper with this number in the rewritten module is for; undefined if it is another function. */
  waitUse(helper: number): WaitUse | undefined {
    return this.waitUses[helper - this.firstWaitHelper];
  }

  bulkHelper(use: BulkUse): number {
    const helper = this.#bulkHelpers.get(bulkKey(use));
    assert(helper !== undefined, 'a bulk instruction that the analysis has not seen');
    return helper;
  }

  /** As {@link waitUse}. */
  bulkUse(helper: number): BulkUse | undefined {
    return this.bulkUses[helper - this.firstBulkHelper];
  }

  /** The appended tables that hold saved references. */
  get savedReferences(): readonly SavedReference[] {
    return this.exceptions ? ['functions', 'externs', 'exceptions'] : ['functions', 'externs'];
  }

  /** The global that counts the references in use in an appended table. */
  referenceTop(table: SavedReference): number {
    return this.savePointer + 1 + this.savedReferences.indexOf(table);
  }

  /** Globals that are appended, but for the flags of dropped segments behind them. */
  get ownGlobals(): number {
    return 1 + this.savedReferences.length;
  }

  /** The global that is 1 once code has dropped the segment. */
  dropFlag(use: SegmentUse): number {
    const flag = this.#dropFlags.get(segmentKey(use));
    assert(flag !== undefined, `segment ${use.segment} is dropped, which the analysis has not seen`);
    return flag;
  }

  /** The helper for this signature; appended if it is new. */
  saveHelper(signature: SaveSignature): number {
    const key = signatureKey(signature);
    const found = this.#saveHelpers.get(key);
    if (found !== undefined) return found;
    const index = this.firstSaveHelper + this.#saveSignatures.length;
    this.#saveHelpers.set(key, index);
    this.#saveSignatures.push(signature);
    return index;
  }

  get saveSignatures(): readonly SaveSignature[] {
    return this.#saveSignatures;
  }

  /** All functions of the rewritten module. Final once every body has been rewritten. */
  get functionCount(): number {
    return this.firstSaveHelper + this.#saveSignatures.length;
  }
}
