/**
 * The reference types of a module (WebAssembly core specification, sections 2.3.3, 3.3 and 5.3.4). A value type is one
 * byte everywhere in the engine: `funcref`, `externref` and `exnref` are their bytes in the binary format, every other
 * reference type gets a number from 0x80 on in the order in which it is met, two for each heap type: with null (even)
 * and without. These numbers mean something only with the module's table, and are spelled out when a type is written.
 *
 * A heap type is a number as in the binary format: the index of a type, or negative for an abstract one.
 */
import { assert } from '../base/assert.ts';
import { LIMITS } from '../base/limits.ts';
import type { WasmReader } from './reader.ts';
import { TooMany, hex, invalid, unsupported } from './reader.ts';
import { EXNREF, EXTERNREF, FUNCREF, NON_NULL_PREFIX, NULLABLE_PREFIX, UNKNOWN, isNumeric, typeName } from './types.ts';
import type { TypeList, ValueType } from './types.ts';
import type { WasmWriter } from './writer.ts';

const abstract = (byte: number): number => byte - 0x80;

export const HEAP = {
  func: abstract(FUNCREF),
  extern: abstract(EXTERNREF),
  exn: abstract(EXNREF),
  noFunc: abstract(0x73),
  noExtern: abstract(0x72),
  noExn: abstract(0x74),
} as const;

const HEAP_NAMES: ReadonlyMap<number, string> = new Map([
  [HEAP.func, 'func'],
  [HEAP.extern, 'extern'],
  [HEAP.exn, 'exn'],
  [HEAP.noFunc, 'nofunc'],
  [HEAP.noExtern, 'noextern'],
  [HEAP.noExn, 'noexn'],
]);

/** By the heap type at the top of a hierarchy: the one at its bottom, to which only null belongs. */
const BOTTOMS: ReadonlyMap<number, number> = new Map([
  [HEAP.func, HEAP.noFunc],
  [HEAP.extern, HEAP.noExtern],
  [HEAP.exn, HEAP.noExn],
]);

const FIRST = 0x80;

export class ReferenceTypes {
  readonly #heaps: number[] = [];
  /** By type index: the first type that is equal to it. */
  readonly #canonical: number[] = [];

  /** The next type of the type section is equal to type `index`, or a new one if that is its own. */
  define(index: number): void {
    this.#canonical.push(index);
  }

  /**
   * @param heap an abstract heap type that has a name here, or the index of a type
   * @throws TooMany if the module has more of them than there are numbers
   */
  type(heap: number, nullable: boolean): ValueType {
    const type = this.#number(heap, nullable);
    if (type === null) throw new TooMany(`the module has references to more than ${LIMITS.referencedTypes} types`);
    return type;
  }

  #number(heap: number, nullable: boolean): ValueType | null {
    if (nullable && BOTTOMS.has(heap)) return heap + 0x80;
    const known = heap < 0 ? heap : (this.#canonical[heap] ?? heap);
    let at = this.#heaps.indexOf(known);
    if (at === -1) {
      if (this.#heaps.length === LIMITS.referencedTypes) return null;
      at = this.#heaps.push(known) - 1;
    }
    return FIRST + 2 * at + (nullable ? 0 : 1);
  }

  /** What `ref.func` gives for a function of this type: if there is no number left, a less exact type that is right too. */
  toFunction(type: number): ValueType {
    return this.#number(type, false) ?? this.type(HEAP.func, false);
  }

  /** The heap type of a reference type. */
  heap(type: ValueType): number {
    return type < FIRST ? abstract(type) : this.#heaps[(type - FIRST) >> 1]!;
  }

  /** Whether a local of this type needs no value before it is read. */
  isDefaultable(type: ValueType): boolean {
    return type < FIRST || (type & 1) === 0;
  }

  /** The same type with null; others as they are. */
  nullable(type: ValueType): ValueType {
    return this.isDefaultable(type) ? type : this.type(this.heap(type), true);
  }

  nonNull(type: ValueType): ValueType {
    return type === UNKNOWN ? UNKNOWN : this.type(this.heap(type), false);
  }

  /** The most general type of what a type belongs to: `funcref`, `externref` or `exnref`; numbers as they are. */
  top(type: ValueType): ValueType {
    if (type < FIRST) return type;
    const heap = this.heap(type);
    if (heap >= 0) return FUNCREF;
    const found = [...BOTTOMS].find(([top, bottom]) => heap === top || heap === bottom);
    assert(found !== undefined, `heap type ${heap} has a top`);
    return found[0] + 0x80;
  }

  tops(types: TypeList): TypeList {
    return types.every((type) => type < FIRST) ? types : types.map((type) => this.top(type));
  }

  /** Whether every value of the type `found` is one of the type `wanted`. */
  matches(found: ValueType, wanted: ValueType): boolean {
    if (found === wanted || found === UNKNOWN || wanted === UNKNOWN) return true;
    if (isNumeric(found) || isNumeric(wanted)) return false;
    if (this.isDefaultable(found) && !this.isDefaultable(wanted)) return false;
    const [sub, heap] = [this.heap(found), this.heap(wanted)];
    if (sub === heap) return true;
    const top = this.top(found);
    return top === this.top(wanted) && (heap === abstract(top) || sub === BOTTOMS.get(abstract(top)));
  }

  matchAll(found: TypeList, wanted: TypeList): boolean {
    return found.length === wanted.length && found.every((type, i) => this.matches(type, wanted[i]!));
  }

  /** As in the text format. */
  name(type: ValueType): string {
    if (type < FIRST) return typeName(type);
    const heap = this.heap(type);
    return `(ref ${this.isDefaultable(type) ? 'null ' : ''}${HEAP_NAMES.get(heap) ?? heap})`;
  }

  /** Writes a value type as the binary format has it. */
  write(out: WasmWriter, type: ValueType): void {
    if (type < FIRST) return out.u8(type);
    out.u8(this.isDefaultable(type) ? NULLABLE_PREFIX : NON_NULL_PREFIX);
    this.writeHeap(out, type);
  }

  /** Writes the heap type of a reference type. */
  writeHeap(out: WasmWriter, type: ValueType): void {
    out.s32(this.heap(type));
  }

  writeAll(out: WasmWriter, types: TypeList): void {
    out.u32(types.length);
    for (const type of types) this.write(out, type);
  }

  /**
   * Reads a value type.
   * @param known how many types the module has so far, which it may refer to
   * @throws GodwitError `invalid_module` or `unsupported_feature`
   */
  read(r: WasmReader, known: number): ValueType {
    const at = r.pos;
    const byte = r.u8();
    if (isNumeric(byte)) return byte;
    if (byte === NULLABLE_PREFIX || byte === NON_NULL_PREFIX) return this.readHeap(r, known, byte === NULLABLE_PREFIX);
    if (byte >= 0x40 && byte < 0x80 && (HEAP_NAMES.has(abstract(byte)) || isCollected(abstract(byte)))) {
      r.pos = at;
      return this.readHeap(r, known, true);
    }
    return invalid(at, `malformed value type ${hex(byte)}`);
  }

  /** Reads a heap type. @returns the type of references to it */
  readHeap(r: WasmReader, known: number, nullable: boolean): ValueType {
    const at = r.pos;
    const heap = r.signed(33);
    if (isCollected(heap)) unsupported(at, GARBAGE_COLLECTION, 'a reference type');
    if (heap < 0 ? !HEAP_NAMES.has(heap) : heap >= known) return invalid(at, `unknown type ${heap}`);
    return this.type(heap, nullable);
  }
}

export const GARBAGE_COLLECTION = 'garbage collection';

/** any, eq, i31, struct, array and none. */
function isCollected(heap: number): boolean {
  return (heap >= abstract(0x6a) && heap <= abstract(0x6e)) || heap === abstract(0x71);
}
