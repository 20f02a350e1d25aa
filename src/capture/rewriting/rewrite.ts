/**
 * Rewrites a module so that it can be captured and resumed (src/capture/rewriting/body.ts for functions). What changes besides:
 * - memories become imports, shared; the control memory is one more behind them;
 * - references to imported functions go to wrappers, which save their arguments when an import unwinds;
 * - waiting and waking go through helper functions to the host (waits.ts), long bulk instructions through helpers that
 *   do them piece by piece (bulk.ts);
 * - active segments become passive and are applied by helper functions; the start function is exported instead;
 * - helper functions, tables, globals and the unwind tag are appended and exported under names that begin with
 *   `godwit:`;
 * - the custom section `godwit` holds the facts for {@link Program}, `godwit.sizes` where the bodies begin and
 *   the size of each, for mapping positions; names are kept, branch hints rewritten, debug information (`.debug_*`) dropped, since its
 *   offsets would be wrong.
 *
 * Pure and deterministic: the same original gives the same bytes. A cache keeps the result under a key made of the
 * original's hash and {@link ENGINE_VERSION}.
 */
import { LIMITS } from '../../base/limits.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { EXTERNAL_KINDS } from '../../wasm/module.ts';
import type { ElementSegment, Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, EXTERNREF, FUNCREF, I32, NO_TYPES } from '../../wasm/types.ts';
import type { FunctionType, ValueType } from '../../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { BodyRewriter } from './body.ts';
import { BULK_PIECE } from '../analysis/bulk-uses.ts';
import { CodeSection, writeLocals } from '../code/code-section.ts';
import { writeMemoryImports, writeOwnTable, writeTable } from '../layout/entries.ts';
import { GODWIT, encodeFacts } from '../layout/facts.ts';
import { requireFreeNames } from '../layout/reserved.ts';
import type { FramePlan } from '../layout/frame.ts';
import { SAVE_BASE } from '../layout/frame.ts';
import { analyse } from '../analysis/graph.ts';
import type { Graph } from '../analysis/graph.ts';
import { appendedFunctions } from './helpers.ts';
import { copyNames } from './names.ts';
import { NotMovable } from '../code/not-movable.ts';
import { FUNCTIONS_PER_CHUNK, Numbering } from '../layout/numbering.ts';
import { MainTarget } from './target.ts';
import { HOST_FUNCTIONS } from '../analysis/wait-uses.ts';

export { CONTROL_PAGES } from '../layout/entries.ts';
export { ENGINE_VERSION } from '../layout/facts.ts';

export interface RewriteStats {
  readonly functions: number;
  /** Functions that can be on a captured stack and got a handler. */
  readonly wrapped: number;
  /** Safepoints: calls that can unwind, and polls. */
  readonly sites: number;
  readonly polls: number;
  /** The longest frame record, and the function that writes it; null if no frame is ever saved. */
  readonly largestFrame: { readonly index: number; readonly bytes: number } | null;
  readonly codeBytesBefore: number;
  readonly codeBytesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Custom sections that were left out, because their offsets would be wrong. */
  readonly droppedSections: readonly string[];
}

export interface Rewritten {
  readonly module: Uint8Array<ArrayBuffer>;
  readonly stats: RewriteStats;
}

/** Custom sections whose content refers to code offsets. */
function refersToCode(name: string): boolean {
  return name.startsWith('.debug') || name === 'sourceMappingURL' || name.startsWith('metadata.code.');
}

/**
 * @param original a core module in the binary format
 * @param bulkPiece the most bytes that a bulk instruction does between two looks, 1 to 2^31 - 1; tests have small ones
 * @throws GodwitError `not_a_module`, `invalid_module`, `unsupported_feature` or `limit`; `not_runnable` for what this
 *   function has made, and for names that only the engine may have (reserved.ts)
 */
export function rewrite(original: Uint8Array, bulkPiece: number = BULK_PIECE): Rewritten {
  const module = decodeModule(original);
  requireFreeNames(module);
  return new ModuleRewriter(module, analyse(module, bulkPiece)).rewrite();
}

/** Bytes of code, at most, with which a continuation restores a saved value, and of the declaration of a local. */
const RESTORED_BYTES = 32;
const DECLARED_BYTES = 8;

class ModuleRewriter {
  readonly #module: Module;
  readonly #graph: Graph;
  readonly #n: Numbering;
  readonly #target: MainTarget;

  constructor(module: Module, graph: Graph) {
    this.#module = module;
    this.#graph = graph;
    this.#n = new Numbering(module, { ...graph, saveHelpers: [] });
    this.#target = new MainTarget(module, this.#n);
  }

  rewrite(): Rewritten {
    const module = this.#module;
    const codeBefore = sum(module.bodyEnds) - sum(module.bodyStarts);
    const code = new CodeSection(Math.ceil(codeBefore * 1.25) + 65_536, module);
    const bodies = this.#bodies(code);
    const appended: FunctionType[] = [];
    for (const { params, results, body } of appendedFunctions(module, this.#n, this.#target.types)) {
      code.addRaw(body);
      appended.push({ params, results });
    }
    const { out, dropped } = this.#sections(code, appended);
    return {
      module: out.done(),
      stats: {
        functions: module.bodyStarts.length,
        ...bodies,
        codeBytesBefore: codeBefore,
        codeBytesAfter: code.code.length,
        bytesBefore: module.bytes.length,
        bytesAfter: out.length,
        droppedSections: dropped,
      },
    };
  }

  #bodies(code: CodeSection): Pick<RewriteStats, 'wrapped' | 'sites' | 'polls' | 'largestFrame'> {
    const module = this.#module;
    const graph = this.#graph;
    const body = new BodyRewriter(module, graph, this.#target);
    const locals = new WasmWriter(256);
    let wrapped = 0;
    let sites = 0;
    let polls = 0;
    let largestFrame: RewriteStats['largestFrame'] = null;
    for (let i = 0; i < module.bodyStarts.length; i++) {
      const index = module.importedFunctions + i;
      if (graph.capturable[index] === 0 && graph.patched[index] === 0) {
        code.addRaw(module.bytes.subarray(module.bodyStarts[i], module.bodyEnds[i]));
        continue;
      }
      const plan: FramePlan | null = body.rewrite(index);
      locals.length = 0;
      writeLocals(locals, module, i, body.addedLocals);
      code.add(index, locals, body.out, body.hints);
      if (plan === null) continue;
      this.#requireContinuations(index, body, plan);
      wrapped++;
      sites += plan.sites;
      polls += plan.polls.size;
      if (plan.frameBytes > (largestFrame?.bytes ?? 0)) largestFrame = { index, bytes: plan.frameBytes };
    }
    return { wrapped, sites, polls, largestFrame };
  }

  /**
   * A function that could be captured and not be resumed must not run: its process would be lost with its first move.
   */
  #requireContinuations(index: number, { out, mostRepeated }: BodyRewriter, { saved, ...plan }: FramePlan): void {
    const locals = plan.pcLocal + plan.extraLocals.length;
    const restoring = RESTORED_BYTES * saved.length + DECLARED_BYTES * locals;
    if (out.length + mostRepeated + restoring <= LIMITS.functionBytes) return;
    const why = mostRepeated > out.length ? 'nests loops too deeply' : 'is too large';
    throw new NotMovable(`function ${index} ${why} to be made movable`);
  }

  #sections(code: CodeSection, appended: readonly FunctionType[]): { out: WasmWriter; dropped: string[] } {
    const module = this.#module;
    const n = this.#n;
    const data = module.datas.reduce((bytes, { content }) => bytes + content.end - content.start + 8, 0);
    const out = new WasmWriter(code.code.length + code.sizes.length + data + n.functionCount * 8 + 262_144);
    const { types } = this.#target;
    const functionTypes = appended.map(({ params, results }) => types.index(params, results));
    const unwindType = types.index(NO_TYPES, NO_TYPES);
    const section = (id: number, write: (s: WasmWriter) => void): void => {
      const content = new WasmWriter(1024);
      write(content);
      out.section(id, content);
    };
    out.copy(PREAMBLE);
    types.writeSection(out);
    section(2, (s) => this.#imports(s));
    section(3, (s) => {
      const defined = module.functionTypes.subarray(n.imports);
      s.u32(defined.length + functionTypes.length);
      for (const type of defined) s.u32(type);
      for (const type of functionTypes) s.u32(type);
    });
    section(4, (s) => this.#tables(s));
    section(13, (s) => {
      const defined = [...module.tags.slice(module.importedTags), unwindType];
      s.u32(defined.length);
      for (const type of defined) {
        s.u8(0);
        s.u32(type);
      }
    });
    section(6, (s) => this.#globals(s));
    section(7, (s) => this.#exports(s));
    section(9, (s) => this.#elements(s));
    section(12, (s) => s.u32(module.datas.length));
    code.writeHints(out);
    out.u8(10);
    const count = new WasmWriter(8);
    count.u32(code.count);
    out.u32(count.length + code.code.length);
    out.copy(count.bytes, 0, count.length);
    const codeStart = out.length;
    out.copy(code.code.bytes, 0, code.code.length);
    section(11, (s) => this.#datas(s));
    const sizes = new WasmWriter(code.sizes.length + 8);
    sizes.u32(codeStart);
    sizes.copy(code.sizes.bytes, 0, code.sizes.length);
    out.custom(`${GODWIT}.sizes`, sizes);
    return { out, dropped: this.#customs(out) };
  }

  #imports(s: WasmWriter): void {
    const { imports, memories, references } = this.#module;
    const kept = imports.filter(({ kind }) => kind !== 'memory');
    s.u32(kept.length + memories.length + 1);
    for (const entry of kept) {
      s.name(entry.module);
      s.name(entry.name);
      s.u8(EXTERNAL_KINDS.indexOf(entry.kind));
      if (entry.kind === 'function') s.u32(entry.type);
      else if (entry.kind === 'table') writeTable(s, references, entry.table);
      else if (entry.kind === 'global') {
        references.write(s, entry.global.type);
        s.u8(entry.global.mutable ? 1 : 0);
      } else if (entry.kind === 'tag') {
        s.u8(0);
        s.u32(entry.type);
      }
    }
    writeMemoryImports(s, memories);
  }

  #tables(s: WasmWriter): void {
    const { tables, importedTables, references } = this.#module;
    const own = tables.slice(importedTables);
    s.u32(own.length + this.#n.appendedTables.length);
    for (const table of own) {
      if (table.init !== null) s.raw(0x40, 0);
      writeTable(s, references, table);
      if (table.init !== null) this.#constant(s, table.init.start, table.init.end);
    }
    const add = (element: ValueType, size: number, maximum: number | null): void => {
      writeOwnTable(s, references, element, size, maximum);
    };
    const hostFunctions = this.#n.waitUses.length > 0 ? HOST_FUNCTIONS.length : 1;
    add(FUNCREF, hostFunctions, hostFunctions);
    add(FUNCREF, 1, 1);
    add(FUNCREF, 0, null);
    add(EXTERNREF, 0, null);
    if (this.#n.exceptions) add(EXNREF, 0, null);
  }

  #globals(s: WasmWriter): void {
    const module = this.#module;
    const n = this.#n;
    s.u32(module.definedGlobals.length + n.ownGlobals + n.drops.length);
    for (const { type, mutable, init } of module.definedGlobals) {
      module.references.write(s, type);
      s.u8(mutable ? 1 : 0);
      this.#constant(s, init.start, init.end);
    }
    for (const initial of [SAVE_BASE, ...[...n.savedReferences, ...n.drops].map(() => 0)]) {
      s.raw(I32, 1, OP.i32Const);
      s.s32(initial);
      s.u8(OP.end);
    }
  }

  /** A constant expression; the only one with a function reference is a lone `ref.func`. */
  #constant(s: WasmWriter, start: number, end: number): void {
    const { bytes } = this.#module;
    if (bytes[start] === OP.refFunc) {
      let index = 0;
      for (let at = start + 1, shift = 0; at < end; at++, shift += 7) index |= (bytes[at]! & 0x7f) << shift;
      s.u8(OP.refFunc);
      s.u32(this.#n.wrapper(index));
    } else s.copy(bytes, start, end);
    s.u8(OP.end);
  }

  #exports(s: WasmWriter): void {
    const module = this.#module;
    const n = this.#n;
    const own = module.exports.map(({ name, kind, index }) => ({
      name,
      kind: EXTERNAL_KINDS.indexOf(kind),
      index: kind === 'function' ? n.wrapper(index) : index,
    }));
    const added = [
      ...n.fixedHelpers.map((helper) => ({ name: helper, kind: 0, index: n.fixed(helper) })),
      ...(module.start === null ? [] : [{ name: 'start', kind: 0, index: n.wrapper(module.start) }]),
      ...Array.from({ length: n.firstTable + n.appendedTables.length }, (_, i) => ({
        name: `table${i}`,
        kind: 1,
        index: i,
      })),
      ...Array.from({ length: n.savePointer + n.ownGlobals }, (_, i) => ({ name: `global${i}`, kind: 3, index: i })),
      ...module.tags.map((_, i) => ({ name: `tag${i}`, kind: 4, index: i })),
      { name: 'unwind', kind: 4, index: n.unwindTag },
    ];
    s.u32(own.length + added.length);
    const write = (name: string, kind: number, index: number): void => {
      s.name(name);
      s.u8(kind);
      s.u32(index);
    };
    for (const { name, kind, index } of own) write(name, kind, index);
    for (const { name, kind, index } of added) write(`${GODWIT}:${name}`, kind, index);
  }

  #elements(s: WasmWriter): void {
    const { elements } = this.#module;
    const n = this.#n;
    const chunks = Math.ceil(n.functionCount / FUNCTIONS_PER_CHUNK);
    s.u32(elements.length + chunks);
    for (const element of elements) this.#element(s, element);
    for (let chunk = 0; chunk < chunks; chunk++) {
      const first = chunk * FUNCTIONS_PER_CHUNK;
      const end = Math.min(first + FUNCTIONS_PER_CHUNK, n.functionCount);
      s.raw(1, 0);
      s.u32(end - first);
      for (let index = first; index < end; index++) s.u32(index);
    }
  }

  #element(s: WasmWriter, { mode, type, entries }: ElementSegment): void {
    const { references } = this.#module;
    const declared = mode === 'declared' ? 2 : 0;
    // Indices stand for references to functions without null, which is as good as with.
    const isFunction = references.nullable(type) === FUNCREF;
    const plain = isFunction && entries.every((entry) => entry >= 0);
    s.u8(1 | declared | (plain ? 0 : 4));
    if (plain) s.u8(0);
    else references.write(s, type);
    s.u32(entries.length);
    for (const entry of entries) {
      if (plain) s.u32(this.#n.wrapper(entry));
      else {
        if (entry >= 0) {
          s.u8(OP.refFunc);
          s.u32(this.#n.wrapper(entry));
        } else if (entry === -1) {
          s.u8(OP.refNull);
          references.writeHeap(s, type);
        } else {
          s.u8(OP.globalGet);
          s.u32(-2 - entry);
        }
        s.u8(OP.end);
      }
    }
  }

  #datas(s: WasmWriter): void {
    const { datas, bytes } = this.#module;
    s.u32(datas.length);
    for (const { content } of datas) {
      s.u8(1);
      s.u32(content.end - content.start);
      s.copy(bytes, content.start, content.end);
    }
  }

  /** The facts, and the original's custom sections that still are right. @returns the names of the others */
  #customs(out: WasmWriter): string[] {
    const module = this.#module;
    const graph = this.#graph;
    const facts = new WasmWriter(module.functionTypes.length + 1024);
    facts.copy(encodeFacts({ ...graph, originalBytes: module.bytes.length, saveHelpers: this.#n.saveSignatures }));
    out.custom(GODWIT, facts);
    const dropped: string[] = [];
    for (const { name, content } of module.customs) {
      if (refersToCode(name)) {
        dropped.push(name);
        continue;
      }
      const copied = new WasmWriter(content.end - content.start);
      if (name === 'name') copyNames(copied, module.bytes, content);
      else copied.copy(module.bytes, content.start, content.end);
      out.custom(name, copied);
    }
    return dropped;
  }
}

function sum(offsets: Uint32Array): number {
  let total = 0;
  for (const offset of offsets) total += offset;
  return total;
}
