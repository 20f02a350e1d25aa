/**
 * Decoding and checking everything of a module except function bodies (WebAssembly core specification, sections 3.4
 * and 5.5). Hostile bytes: each count is checked against the bytes that are left before anything is allocated, so
 * memory stays within a small multiple of the input.
 */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { ConstantReader } from './constants.ts';
import { EXTERNAL_KINDS } from './module.ts';
import type {
  CustomSection,
  DataSegment,
  DefinedGlobal,
  ElementSegment,
  Export,
  ExternalKind,
  GlobalType,
  Import,
  MemoryType,
  Module,
  Range,
  TableType,
} from './module.ts';
import { checkPreamble } from './preamble.ts';
import { WasmReader, hex, invalid } from './reader.ts';
import { ReferenceTypes } from './references.ts';
import { readGlobalType, readMemoryType, readTableType, requireFewEntries } from './external-types.ts';
import { readData, readElement } from './segments.ts';
import type { SegmentContext } from './segments.ts';
import { TypeSectionReader } from './type-section.ts';
import type { FunctionType, ValueType } from './types.ts';

const EMPTY: Range = { start: 0, end: 0 };
/** Section numbers in the order in which they must stand; tags (13) and data count (12) are out of numeric order. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

/**
 * @param bytes a module in the binary format; may be a view of shared memory
 * @returns the module; its ranges refer to `bytes`
 * @throws GodwitError `not_a_module`, `invalid_module` or `unsupported_feature`
 */
export function decodeModule(bytes: Uint8Array): Module {
  checkPreamble(bytes);
  if (bytes.length > LIMITS.moduleBytes) {
    throw new GodwitError('limit', `the module has ${bytes.length} bytes; ${LIMITS.moduleBytes} are the most`);
  }
  // What reads the bytes is faster when V8 has seen no other class of views there, as Buffer is one.
  return new ModuleDecoder(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)).decode();
}

class ModuleDecoder {
  readonly #r: WasmReader;
  readonly #bytes: Uint8Array;
  readonly #references = new ReferenceTypes();
  #types: readonly FunctionType[] = [];
  #typeEntries = EMPTY;
  readonly #imports: Import[] = [];
  readonly #importedTypes: number[] = [];
  #definedTypes = new Uint32Array(0);
  readonly #tables: TableType[] = [];
  #importedTables = 0;
  readonly #memories: MemoryType[] = [];
  readonly #tags: number[] = [];
  #importedTags = 0;
  readonly #globals: GlobalType[] = [];
  readonly #definedGlobals: DefinedGlobal[] = [];
  readonly #exports: Export[] = [];
  #start: number | null = null;
  #elements: ElementSegment[] = [];
  #dataCount: number | null = null;
  #datas: DataSegment[] = [];
  readonly #customs: CustomSection[] = [];
  #bodyStarts = new Uint32Array(0);
  #bodyEnds = new Uint32Array(0);
  #declared = new Uint8Array(0);
  #constants: ConstantReader;
  /** Reads a value type of those that the type section has. */
  readonly #valueType = (): ValueType => this.#references.read(this.#r, this.#types.length);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#r = new WasmReader(bytes, 8);
    this.#constants = this.#constantReader();
  }

  decode(): Module {
    const r = this.#r;
    let last = -1;
    while (r.pos < this.#bytes.length) {
      const at = r.pos;
      const id = r.u8();
      const size = r.u32();
      const start = r.pos;
      const left = this.#bytes.length - start;
      if (size > left) invalid(at, `section ${id} claims ${size} bytes where ${left} are left: length out of bounds`);
      r.end = start + size;
      if (id === 0) this.#custom();
      else {
        const order = SECTION_ORDER.indexOf(id);
        if (order === -1) invalid(at, `malformed section id ${id}`);
        if (order <= last) invalid(at, `section ${id} is out of order: unexpected content after last section`);
        last = order;
        this.#section(id);
      }
      if (r.pos !== r.end) invalid(r.pos, `section ${id} has ${r.end - r.pos} bytes too many: section size mismatch`);
      r.end = this.#bytes.length;
    }
    return this.#finish();
  }

  #section(id: number): void {
    const sections: Readonly<Record<number, () => void>> = {
      1: () => this.#typeSection(),
      2: () => this.#importSection(),
      3: () => this.#functionSection(),
      4: () => this.#tableSection(),
      5: () => this.#memorySection(),
      6: () => this.#globalSection(),
      7: () => this.#exportSection(),
      8: () => this.#startSection(),
      9: () => this.#elementSection(),
      10: () => this.#codeSection(),
      11: () => this.#dataSection(),
      12: () => {
        this.#dataCount = this.#r.u32();
      },
      13: () => this.#tagSection(),
    };
    // Function references in constant expressions of globals, exports and elements need the number of functions.
    if (id === 4 || id === 6) this.#declared = this.#sized(this.#declared);
    sections[id]!();
  }

  #sized(flags: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return flags.length === 0 ? new Uint8Array(this.#functionCount) : flags;
  }

  get #functionCount(): number {
    return this.#importedTypes.length + this.#definedTypes.length;
  }

  #reference(index: number, at: number): number {
    if (index >= this.#functionCount) invalid(at, `unknown function ${index}`);
    this.#declared = this.#sized(this.#declared);
    this.#declared[index] = 1;
    return this.#typeOfFunction(index);
  }

  /** The caller has checked the index. */
  #typeOfFunction(index: number): number {
    return this.#importedTypes[index] ?? this.#definedTypes[index - this.#importedTypes.length]!;
  }

  #constantReader(): ConstantReader {
    return new ConstantReader(this.#r, {
      references: this.#references,
      types: this.#types,
      globals: this.#globals,
      reference: (index, at) => this.#reference(index, at),
    });
  }

  #custom(): void {
    const name = this.#r.name();
    this.#customs.push({ name, content: { start: this.#r.pos, end: this.#r.end } });
    this.#r.pos = this.#r.end;
  }

  #typeSection(): void {
    const r = this.#r;
    const count = r.count(2);
    const start = r.pos;
    this.#types = new TypeSectionReader(r, this.#references).read(count);
    this.#typeEntries = { start, end: r.pos };
    this.#constants = this.#constantReader();
  }

  #typeIndex(): number {
    const at = this.#r.pos;
    const index = this.#r.u32();
    if (index >= this.#types.length) invalid(at, `unknown type ${index}`);
    return index;
  }

  #importSection(): void {
    const count = this.#r.count(4);
    for (let i = 0; i < count; i++) {
      const module = this.#r.name();
      const name = this.#r.name();
      const at = this.#r.pos;
      const kind = this.#r.u8();
      const origin = { module, name };
      if (kind === 0) {
        const type = this.#typeIndex();
        this.#importedTypes.push(type);
        this.#imports.push({ ...origin, kind: 'function', type });
      } else if (kind === 1) {
        const table = readTableType(this.#r, this.#valueType);
        this.#tables.push(table);
        this.#importedTables++;
        this.#imports.push({ ...origin, kind: 'table', table });
      } else if (kind === 2) {
        const memory = this.#oneMemory();
        this.#imports.push({ ...origin, kind: 'memory', memory });
      } else if (kind === 3) {
        const global = readGlobalType(this.#r, this.#valueType);
        this.#globals.push(global);
        this.#imports.push({ ...origin, kind: 'global', global });
      } else if (kind === 4) {
        const type = this.#tag();
        this.#importedTags++;
        this.#imports.push({ ...origin, kind: 'tag', type });
      } else invalid(at, `malformed import kind ${kind}`);
    }
  }

  /** @returns the type index of one tag */
  #tag(): number {
    const at = this.#r.pos;
    if (this.#r.u8() !== 0) invalid(at, 'malformed tag attribute');
    const type = this.#typeIndex();
    if (this.#types[type]!.results.length > 0) invalid(at, 'non-empty tag result type');
    this.#tags.push(type);
    return type;
  }

  #tagSection(): void {
    const count = this.#r.count(2);
    for (let i = 0; i < count; i++) this.#tag();
  }

  #functionSection(): void {
    this.#definedTypes = new Uint32Array(this.#r.count());
    for (let i = 0; i < this.#definedTypes.length; i++) this.#definedTypes[i] = this.#typeIndex();
  }

  #tableSection(): void {
    const count = this.#r.count(3);
    for (let i = 0; i < count; i++) this.#tables.push(this.#definedTable());
  }

  /** A table of references without null has to say what its entries are at first; others may. */
  #definedTable(): TableType {
    const at = this.#r.pos;
    if (this.#bytes[at] !== 0x40) {
      const table = readTableType(this.#r, this.#valueType);
      if (!this.#references.isDefaultable(table.element)) invalid(at, 'type mismatch: a table without first entries');
      return table;
    }
    this.#r.skip(1);
    if (this.#r.u8() !== 0) invalid(at, 'malformed table');
    const table = readTableType(this.#r, this.#valueType);
    return { ...table, init: this.#constants.read(table.element) };
  }

  #oneMemory(): MemoryType {
    const at = this.#r.pos;
    const memory = readMemoryType(this.#r);
    this.#memories.push(memory);
    if (this.#memories.length > LIMITS.memories) {
      throw new GodwitError('limit', `offset ${hex(at)}: the module has more than ${LIMITS.memories} memories`);
    }
    return memory;
  }

  #memorySection(): void {
    const count = this.#r.count(2);
    for (let i = 0; i < count; i++) this.#oneMemory();
  }

  #globalSection(): void {
    const count = this.#r.count(4);
    for (let i = 0; i < count; i++) {
      const type = readGlobalType(this.#r, this.#valueType);
      const init = this.#constants.read(type.type);
      const global = { ...type, init };
      this.#definedGlobals.push(global);
      this.#globals.push(global);
    }
  }

  #exportSection(): void {
    const count = this.#r.count(3);
    const names = new Set<string>();
    const sizes: Readonly<Record<ExternalKind, number>> = {
      function: this.#functionCount,
      table: this.#tables.length,
      memory: this.#memories.length,
      global: this.#globals.length,
      tag: this.#tags.length,
    };
    for (let i = 0; i < count; i++) {
      const at = this.#r.pos;
      const name = this.#r.name();
      if (names.has(name)) invalid(at, `duplicate export name ${JSON.stringify(name)}`);
      names.add(name);
      const number = this.#r.u8();
      const kind = EXTERNAL_KINDS[number];
      if (kind === undefined) invalid(at, `malformed export kind ${number}`);
      const index = this.#r.u32();
      if (index >= sizes[kind]) invalid(at, `unknown ${kind} ${index}`);
      if (kind === 'function') this.#reference(index, at);
      this.#exports.push({ name, kind, index });
    }
  }

  #startSection(): void {
    const at = this.#r.pos;
    const index = this.#r.u32();
    if (index >= this.#functionCount) invalid(at, `unknown function ${index}`);
    const type = this.#types[this.#typeOfFunction(index)]!;
    if (type.params.length + type.results.length > 0) invalid(at, 'the start function must be [] -> []');
    this.#start = index;
  }

  #elementSection(): void {
    const count = this.#r.count(2);
    for (let i = 0; i < count; i++) this.#elements.push(readElement(this.#r, this.#segments()));
  }

  #codeSection(): void {
    const r = this.#r;
    const at = r.pos;
    const count = r.count(2);
    if (count !== this.#definedTypes.length) {
      invalid(at, `${this.#definedTypes.length} functions and ${count} bodies: inconsistent lengths`);
    }
    this.#bodyStarts = new Uint32Array(count);
    this.#bodyEnds = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const size = r.u32();
      this.#bodyStarts[i] = r.pos;
      r.skip(size);
      this.#bodyEnds[i] = r.pos;
    }
  }

  #segments(): SegmentContext {
    return {
      references: this.#references,
      constants: this.#constants,
      tables: this.#tables,
      memories: this.#memories,
      reference: (index, at) => this.#reference(index, at),
    };
  }

  #dataSection(): void {
    const count = this.#r.count();
    for (let i = 0; i < count; i++) {
      this.#datas.push(readData(this.#r, this.#segments()));
    }
  }

  #finish(): Module {
    if (this.#definedTypes.length !== this.#bodyStarts.length) {
      invalid(this.#bytes.length, 'functions without bodies: inconsistent lengths');
    }
    if (this.#dataCount !== null && this.#dataCount !== this.#datas.length) {
      invalid(this.#bytes.length, 'data count and data section have inconsistent lengths');
    }
    requireFewEntries(this.#tables.map(({ maximum }) => maximum));
    return {
      bytes: this.#bytes,
      types: this.#types,
      references: this.#references,
      typeEntries: this.#typeEntries,
      imports: this.#imports,
      functionTypes: this.#allTypes(),
      importedFunctions: this.#importedTypes.length,
      tables: this.#tables,
      importedTables: this.#importedTables,
      memories: this.#memories,
      tags: this.#tags,
      importedTags: this.#importedTags,
      globals: this.#globals,
      definedGlobals: this.#definedGlobals,
      exports: this.#exports,
      start: this.#start,
      elements: this.#elements,
      dataCount: this.#dataCount,
      datas: this.#datas,
      declared: this.#sized(this.#declared),
      bodyStarts: this.#bodyStarts,
      bodyEnds: this.#bodyEnds,
      customs: this.#customs,
    };
  }

  #allTypes(): Uint32Array {
    const all = new Uint32Array(this.#functionCount);
    all.set(this.#importedTypes);
    all.set(this.#definedTypes, this.#importedTypes.length);
    return all;
  }
}
