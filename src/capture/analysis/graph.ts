/**
 * Which functions can be on a captured stack, and which need a poll at their entry. One pass over all bodies (it also
 * validates them) collects the calls; the rest is graph work on them.
 *
 * A function can be on a captured stack if a safepoint can be reached from it: it has a loop (polled at its head),
 * a poll at its entry, a wait, a bulk instruction of no small constant length, or a call to an imported function or to such a
 * function, indirect calls by signature.
 * All other functions stay as they are. A tail call counts like any call: its function is not on the stack then, but
 * what called that function must know that the callee can unwind.
 *
 * Every cycle of calls must meet a poll. A call inside a loop has passed that loop's head, so only calls outside of
 * loops count here; each function on a cycle of such calls is polled at its entry. So are functions from which a tree
 * of such calls can take too long (costs.ts).
 */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, sameTypes } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import { BULK_PIECE, bulkKey, bulkUseAt } from './bulk-uses.ts';
import type { BulkUse } from './bulk-uses.ts';
import { bulkCost, pollExpensive } from './costs.ts';
import { cyclicNodes } from './cycles.ts';
import { Edges } from './edges.ts';
import { comparesSize } from '../code/growing.ts';
import { isSafepoint, waitKey, waitUseAt } from './wait-uses.ts';
import type { WaitUse } from './wait-uses.ts';

/** What the rewriter has to know about the whole module before it can rewrite one function. */
export interface Graph {
  /** By function index, imported ones included: 1 if the function can be on a captured stack. */
  readonly capturable: Uint8Array;
  /** By function index: 1 if it is polled at its entry. */
  readonly entryPolls: Uint8Array;
  /** By type index: 1 if an indirect call of this type can reach a capturable function. */
  readonly capturableTypes: Uint8Array;
  /** By function index: 1 if its code must be changed although it is not capturable: for imports, segments, notify, older tries, memories that grow. */
  readonly patched: Uint8Array;
  /** Segments that code drops, and segments that code copies from: see SegmentUse. */
  readonly segmentUses: readonly SegmentUse[];
  /** What code waits on and wakes. */
  readonly waitUses: readonly WaitUse[];
  /** Bulk instructions that can be longer than a piece, and how long that is in bytes. */
  readonly bulkUses: readonly BulkUse[];
  readonly bulkPiece: number;
  /** By table: 1 if code can change its entries or its size. */
  readonly changedTables: Uint8Array;
  /** Whether code handles exceptions, so that a frame can hold one. */
  readonly exceptions: boolean;
}

/** A use of a segment in code; continuations cannot name segments of another module, so each gets a helper function. */
export interface SegmentUse {
  readonly kind: 'memory.init' | 'data.drop' | 'table.init' | 'elem.drop';
  readonly segment: number;
  /** The table of table.init, the memory of memory.init, otherwise 0. */
  readonly target: number;
}

const SEGMENT_INSTRUCTIONS: ReadonlyMap<number, SegmentUse['kind']> = new Map([
  [OP.memoryInit, 'memory.init'],
  [OP.dataDrop, 'data.drop'],
  [OP.tableInit, 'table.init'],
  [OP.elemDrop, 'elem.drop'],
]);

export function segmentKey({ kind, segment, target }: SegmentUse): string {
  return `${kind} ${segment} ${target}`;
}

/** The use at the instruction that the walker has just passed; null if it is another instruction. */
export function segmentUseAt({ opcode, immediate, second }: FunctionWalker): SegmentUse | null {
  const kind = SEGMENT_INSTRUCTIONS.get(opcode);
  if (kind === undefined) return null;
  return { kind, segment: immediate, target: kind === 'table.init' || kind === 'memory.init' ? second : 0 };
}

/** For every type the first one with the same signature: indirect calls compare structure, not index. */
function canonicalTypes(module: Module): Uint32Array {
  const first = new Map<string, number>();
  return Uint32Array.from(module.types, ({ params, results }, index) => {
    const key = `${params.join()}:${results.join()}`;
    const found = first.get(key);
    if (found !== undefined && sameTypes(module.types[found]!.params, params)) return found;
    first.set(key, index);
    return index;
  });
}

/**
 * Validates every function body and analyses the calls.
 * @param bulkPiece bytes that a bulk instruction does at once
 * @throws GodwitError `invalid_module` or `unsupported_feature`
 */
export function analyse(module: Module, bulkPiece: number = BULK_PIECE): Graph {
  return new Analysis(module, bulkPiece).result();
}

/** Whether exceptions are passed to functions or kept in globals or tables. */
function declaresExceptions({ globals, tables, types, references }: Module): boolean {
  const isException = (type: ValueType): boolean => references.top(type) === EXNREF;
  return (
    globals.some(({ type }) => isException(type)) ||
    tables.some(({ element }) => isException(element)) ||
    types.some(({ params, results }) => params.some(isException) || results.some(isException))
  );
}

class Analysis {
  readonly #module: Module;
  readonly #bulkPiece: number;
  readonly #functions: number;
  readonly #canonical: Uint32Array;
  /** Nodes: functions, then one for each type (all functions of that type that can be called indirectly). */
  readonly #edges = new Edges();
  readonly #unguarded = new Edges();
  readonly #looping: Uint8Array;
  /** By function: its instructions outside of loops. */
  readonly #straight: Uint32Array;
  /** By function: 1 if it waits, or has a bulk instruction that can be longer than a piece. */
  readonly #pausing: Uint8Array;
  readonly #patched: Uint8Array;
  readonly #uses = new Map<string, SegmentUse>();
  readonly #waits = new Map<string, WaitUse>();
  readonly #bulks = new Map<string, BulkUse>();
  readonly #changedTables: Uint8Array;

  constructor(module: Module, bulkPiece: number) {
    this.#module = module;
    this.#bulkPiece = bulkPiece;
    this.#functions = module.functionTypes.length;
    this.#canonical = canonicalTypes(module);
    this.#looping = new Uint8Array(this.#functions);
    this.#straight = new Uint32Array(this.#functions);
    this.#pausing = new Uint8Array(this.#functions);
    this.#patched = new Uint8Array(this.#functions);
    this.#changedTables = new Uint8Array(module.tables.length);
  }

  result(): Graph {
    const module = this.#module;
    const walker = new FunctionWalker(module);
    for (let index = module.importedFunctions; index < this.#functions; index++) this.#scan(walker, index);
    this.#addIndirectTargets();
    const nodes = this.#functions + module.types.length;
    const cyclic = cyclicNodes(nodes, this.#unguarded.from, this.#unguarded.to, this.#unguarded.count);
    const entryPolls = cyclic.slice(0, this.#functions);
    pollExpensive(this.#unguarded, nodes, this.#straight, entryPolls);
    const reachable = this.#reachable(nodes, entryPolls);
    return {
      capturable: reachable.slice(0, this.#functions),
      entryPolls,
      capturableTypes: Uint8Array.from(module.types, (_, type) => reachable[this.#typeNode(type)]!),
      patched: this.#patched,
      segmentUses: [...this.#uses.values()],
      waitUses: [...this.#waits.values()],
      bulkUses: [...this.#bulks.values()],
      bulkPiece: this.#bulkPiece,
      changedTables: this.#changedTables,
      exceptions: walker.hasExceptions || declaresExceptions(module),
    };
  }

  #typeNode(type: number): number {
    return this.#functions + this.#canonical[type]!;
  }

  #scan(walker: FunctionWalker, index: number): void {
    walker.enter(index);
    let loops = 0;
    // Frames of loops, by depth, so that the matching `end` is known.
    while (walker.step()) {
      if (loops === 0) this.#straight[index]!++;
      switch (walker.opcode) {
        case OP.loop:
          this.#looping[index] = 1;
          loops++;
          break;
        case OP.end:
          // The frame arrays keep what was just closed.
          if (walker.frameOpcode[walker.depth + 1] === OP.loop) loops--;
          break;
        case OP.call:
        case OP.returnCall:
          this.#call(index, walker.immediate, loops === 0);
          if (walker.immediate < this.#module.importedFunctions) this.#patched[index] = 1;
          break;
        case OP.callIndirect:
        case OP.returnCallIndirect:
        case OP.callRef:
        case OP.returnCallRef:
          this.#call(index, this.#typeNode(walker.immediate), loops === 0);
          break;
        case OP.try:
          this.#patched[index] = 1;
          break;
        case OP.refFunc:
          if (walker.immediate < this.#module.importedFunctions) this.#patched[index] = 1;
          break;
        default:
          if (walker.opcode >= OP.tableSet) this.#rare(walker, index, loops);
      }
    }
  }

  #call(from: number, to: number, unguarded: boolean): void {
    this.#edges.add(from, to);
    if (unguarded) this.#unguarded.add(from, to);
  }

  #rare(walker: FunctionWalker, index: number, loops: number): void {
    switch (walker.opcode) {
      case OP.tableSet:
      case OP.tableGrow:
      case OP.tableFill:
      case OP.tableCopy:
        this.#changedTables[walker.immediate] = 1;
        return;
      case OP.tableInit:
        this.#changedTables[walker.second] = 1;
        return this.#use(walker);
      case OP.memoryFill:
      case OP.memoryCopy:
      case OP.memoryInit:
        if (comparesSize(this.#module, walker)) this.#patched[index] = 1;
        return this.#bulk(walker, index, loops);
      case OP.dataDrop:
      case OP.elemDrop:
        this.#patched[index] = 1;
        return this.#use(walker);
      case OP.atomicWait32:
      case OP.atomicWait64:
      case OP.atomicNotify:
        return this.#wait(walker, index);
      default:
        if (comparesSize(this.#module, walker)) this.#patched[index] = 1;
    }
  }

  #bulk(walker: FunctionWalker, index: number, loops: number): void {
    const use = bulkUseAt(this.#module, walker, this.#bulkPiece);
    const { length } = walker;
    if (loops === 0) this.#straight[index]! += bulkCost(Math.min(length ?? this.#bulkPiece, this.#bulkPiece));
    if (use === null) return this.#use(walker);
    this.#bulks.set(bulkKey(use), use);
    this.#pausing[index] = 1;
  }

  #wait(walker: FunctionWalker, index: number): void {
    const use = waitUseAt(walker);
    if (use === null) return;
    this.#patched[index] = 1;
    this.#waits.set(waitKey(use), use);
    if (isSafepoint(this.#module, use)) this.#pausing[index] = 1;
  }

  #use(walker: FunctionWalker): void {
    const use = segmentUseAt(walker);
    if (use !== null) this.#uses.set(segmentKey(use), use);
  }

  /** From each type's node to every function of the type that can be in a table. */
  #addIndirectTargets(): void {
    const module = this.#module;
    // Functions that are only exported count too: a host may put them into an exported table.
    for (let index = 0; index < this.#functions; index++) {
      if (module.declared[index] === 1) this.#call(this.#typeNode(module.functionTypes[index]!), index, true);
    }
    // A table that comes from outside can hold anything. Imported functions are all the same to the graph: one stands for them.
    if (module.importedTables > 0 && module.importedFunctions > 0) {
      for (let type = 0; type < module.types.length; type++) this.#call(this.#typeNode(type), 0, true);
    }
  }

  /** Every node from which a safepoint can be reached: a search against the direction of the calls. */
  #reachable(nodes: number, entryPolls: Uint8Array): Uint8Array {
    const { first, sources } = this.#edges.incoming(nodes);
    const reached = new Uint8Array(nodes);
    const todo = new Uint32Array(nodes);
    let pending = 0;
    for (let node = 0; node < this.#functions; node++) {
      const own = this.#looping[node] === 1 || this.#pausing[node] === 1 || entryPolls[node] === 1;
      if (node < this.#module.importedFunctions || own) {
        reached[node] = 1;
        todo[pending++] = node;
      }
    }
    while (pending > 0) {
      const node = todo[--pending]!;
      for (let i = first[node]!; i < first[node + 1]!; i++) {
        const caller = sources[i]!;
        if (reached[caller] === 1) continue;
        reached[caller] = 1;
        todo[pending++] = caller;
      }
    }
    return reached;
  }
}
