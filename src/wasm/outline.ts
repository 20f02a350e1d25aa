/**
 * What can be known of a module that uses more than the engine understands (garbage collection): its sections, imports,
 * exports and memories. Types are read only to get past them; nothing is validated beyond what is needed to read on
 * (WebAssembly core specification, section 5.5; the engine that runs the module checks all of it).
 */
import { EXTERNAL_KINDS } from './module.ts';
import type { CustomSection, Export, Imported, MemoryType, Range } from './module.ts';
import { checkPreamble } from './preamble.ts';
import { WasmReader, hex, invalid, unsupported } from './reader.ts';
import { I32, I64, NON_NULL_PREFIX, NULLABLE_PREFIX, UNKNOWN, isNumeric } from './types.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

/** References in the types of functions are {@link UNKNOWN}. */
export interface OutlineImport extends Imported {
  /** The whole entry. */
  readonly entry: Range;
}

export interface OutlineMemory extends MemoryType {
  /** Where its limits are. */
  readonly at: number;
}

export interface OutlineSection extends Range {
  readonly id: number;
  /** Where its number and size are, before its content. */
  readonly head: number;
}

export interface Outline {
  readonly bytes: Uint8Array;
  /** In their order; the ranges are those of the contents. */
  readonly sections: readonly OutlineSection[];
  readonly imports: readonly OutlineImport[];
  readonly exports: readonly Export[];
  /** By type index; null for structs and arrays. */
  readonly types: readonly (FunctionType | null)[];
  /** Type indices of functions, and of tags: imported ones first. */
  readonly functionTypes: readonly number[];
  readonly tags: readonly number[];
  /** How large each table may become, imported ones first; null: as V8 lets it, or not known. */
  readonly tableMaxima: readonly (number | null)[];
  /** Imported ones first. */
  readonly memories: readonly OutlineMemory[];
  readonly customs: readonly CustomSection[];
}

/** @throws GodwitError `not_a_module`, `invalid_module` or `unsupported_feature` */
export function readOutline(bytes: Uint8Array): Outline {
  checkPreamble(bytes);
  return new OutlineReader(bytes, 8).read();
}

const SECTION = { custom: 0, type: 1, import: 2, function: 3, table: 4, memory: 5, export: 7, tag: 13 } as const;
const FORM = {
  func: 0x60,
  struct: 0x5f,
  array: 0x5e,
  continuation: 0x5d,
  sub: 0x50,
  subFinal: 0x4f,
  rec: 0x4e,
} as const;
/** Types of fields that values have no type for. */
const PACKED: ReadonlySet<number> = new Set([0x78, 0x77]);

/** A table that says what its entries are at first begins with it instead of a type. */
const WITH_ENTRIES = 0x40;

class OutlineReader extends WasmReader {
  readonly #types: (FunctionType | null)[] = [];
  readonly #functionTypes: number[] = [];
  readonly #tags: number[] = [];
  readonly #tableMaxima: (number | null)[] = [];
  readonly #sections: OutlineSection[] = [];
  readonly #imports: OutlineImport[] = [];
  readonly #exports: Export[] = [];
  readonly #memories: OutlineMemory[] = [];
  readonly #customs: CustomSection[] = [];

  read(): Outline {
    const { bytes } = this;
    while (this.pos < bytes.length) {
      const head = this.pos;
      const id = this.u8();
      const size = this.u32();
      const start = this.pos;
      this.skip(size);
      this.#sections.push({ id, head, start, end: this.pos });
      this.#section(id, start);
    }
    return {
      bytes,
      sections: this.#sections,
      imports: this.#imports,
      exports: this.#exports,
      types: this.#types,
      functionTypes: this.#functionTypes,
      tags: this.#tags,
      tableMaxima: this.#tableMaxima,
      memories: this.#memories,
      customs: this.#customs,
    };
  }

  #section(id: number, start: number): void {
    const behind = this.pos;
    if (id === SECTION.custom) {
      this.pos = start;
      this.#customs.push({ name: this.name(), content: { start: this.pos, end: behind } });
      if (this.pos > behind) invalid(start, 'a custom section ends within its name');
      this.pos = behind;
      return;
    }
    if (id === SECTION.table) return this.#tables(start, behind);
    const entry: (() => void) | undefined = {
      [SECTION.type]: () => this.#recursiveTypes(),
      [SECTION.import]: () => this.#import(),
      [SECTION.function]: () => void this.#functionTypes.push(this.u32()),
      [SECTION.tag]: () => this.#tag(),
      [SECTION.memory]: () => void this.#memories.push(this.#limits()),
      [SECTION.export]: () => this.#export(),
    }[id];
    if (entry === undefined) return;
    this.pos = start;
    this.end = behind;
    for (let count = this.count(); count > 0; count--) entry();
    if (this.pos !== behind) invalid(this.pos, `section ${id} has ${behind - this.pos} bytes too many`);
    this.end = this.bytes.length;
  }

  #recursiveTypes(): void {
    if (this.bytes[this.pos] !== FORM.rec) return this.#type();
    this.u8();
    for (let count = this.count(); count > 0; count--) this.#type();
  }

  #type(): void {
    const at = this.pos;
    let form = this.u8();
    if (form === FORM.sub || form === FORM.subFinal) {
      for (let count = this.count(); count > 0; count--) this.u32();
      form = this.u8();
    }
    if (form === FORM.func) {
      this.#types.push({ params: this.#list(), results: this.#list() });
      return;
    }
    if (form === FORM.struct) for (let count = this.count(); count > 0; count--) this.#field();
    else if (form === FORM.array) this.#field();
    else if (form === FORM.continuation) unsupported(at, 'stack switching', 'a type of continuations');
    else invalid(at, `malformed type form ${hex(form)}`);
    this.#types.push(null);
  }

  #field(): void {
    if (PACKED.has(this.bytes[this.pos]!)) this.u8();
    else this.#valueType();
    this.u8();
  }

  #list(): TypeList {
    const list = new Uint8Array(this.count());
    for (let i = 0; i < list.length; i++) list[i] = this.#valueType();
    return list;
  }

  /** @returns {@link UNKNOWN} for a reference */
  #valueType(): ValueType {
    const byte = this.u8();
    if (byte === NULLABLE_PREFIX || byte === NON_NULL_PREFIX) this.signed(33);
    return isNumeric(byte) ? byte : UNKNOWN;
  }

  #import(): void {
    const start = this.pos;
    const module = this.name();
    const name = this.name();
    const at = this.pos;
    const number = this.u8();
    const kind = EXTERNAL_KINDS[number] ?? invalid(at, `malformed import kind ${number}`);
    let type: FunctionType | null = null;
    if (kind === 'function') {
      const index = this.u32();
      this.#functionTypes.push(index);
      type = this.#types[index] ?? null;
    } else if (kind === 'memory') this.#memories.push(this.#limits());
    else if (kind === 'tag') this.#tag();
    else {
      this.#valueType();
      if (kind === 'table') this.#tableMaxima.push(this.#limits().maximum);
      else this.u8();
    }
    this.#imports.push({ module, name, kind, type, entry: { start, end: this.pos } });
  }

  /** Nothing is known of those from the first one on that says what its entries are at first: by any expression. */
  #tables(start: number, behind: number): void {
    this.pos = start;
    this.end = behind;
    for (let count = this.count(2); count > 0; count--) {
      const isKnown = this.pos < behind && this.bytes[this.pos] !== WITH_ENTRIES;
      if (isKnown) this.#valueType();
      else this.pos = behind;
      this.#tableMaxima.push(isKnown ? this.#limits().maximum : null);
    }
    this.pos = behind;
    this.end = this.bytes.length;
  }

  #tag(): void {
    this.u8();
    this.#tags.push(this.u32());
  }

  #limits(): OutlineMemory {
    const at = this.pos;
    const flags = this.u8();
    if (flags & 0x08) unsupported(at, 'custom page sizes');
    if (flags & ~0x07) invalid(at, `malformed limits flags ${hex(flags)}`);
    const minimum = this.u64();
    const maximum = flags & 1 ? this.u64() : null;
    return { minimum, maximum, address: flags & 0x04 ? I64 : I32, shared: (flags & 0x02) !== 0, at };
  }

  #export(): void {
    const name = this.name();
    const at = this.pos;
    const number = this.u8();
    const kind = EXTERNAL_KINDS[number] ?? invalid(at, `malformed export kind ${number}`);
    this.#exports.push({ name, kind, index: this.u32() });
  }
}
