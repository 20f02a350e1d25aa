/** The type section (WebAssembly core specification, sections 3.2.3 and 5.5.4), as far as it defines functions. */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { GARBAGE_COLLECTION } from './references.ts';
import type { ReferenceTypes } from './references.ts';
import { hex, invalid, unsupported } from './reader.ts';
import type { WasmReader } from './reader.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

const FUNCTION_FORM = 0x60;
const CONTINUATION_FORM = 0x5d;

export class TypeSectionReader {
  readonly #r: WasmReader;
  readonly #references: ReferenceTypes;
  readonly #types: FunctionType[] = [];
  /** By what it consists of: the first type of that kind. */
  readonly #first = new Map<string, number>();

  constructor(r: WasmReader, references: ReferenceTypes) {
    this.#r = r;
    this.#references = references;
  }

  /** @returns the next `count` types; equal ones are the same object */
  read(count: number): FunctionType[] {
    for (let i = 0; i < count; i++) this.#one();
    return this.#types;
  }

  #one(): void {
    const at = this.#r.pos;
    const form = this.#r.u8();
    if (form === CONTINUATION_FORM) unsupported(at, 'stack switching', 'a type of continuations');
    if (form >= 0x4e && form <= 0x5f && form !== 0x5c) unsupported(at, GARBAGE_COLLECTION, 'composite types');
    if (form !== FUNCTION_FORM) invalid(at, `malformed type form ${hex(form)}`);
    const type = { params: this.#list(), results: this.#list() };
    const index = this.#types.length;
    const key = this.#key(type, index);
    const first = this.#first.get(key) ?? index;
    if (first === index) this.#first.set(key, index);
    this.#references.define(first);
    this.#types.push(this.#types[first] ?? type);
  }

  #list(): TypeList {
    const at = this.#r.pos;
    const list = new Uint8Array(this.#r.count());
    if (list.length > LIMITS.typeValues)
      throw new GodwitError(
        'limit',
        `offset ${hex(at)}: a type with ${list.length} values; ${LIMITS.typeValues} are the most`,
      );
    // A type may refer to itself.
    for (let i = 0; i < list.length; i++) list[i] = this.#references.read(this.#r, this.#types.length + 1);
    return list;
  }

  /** Equal for types that are equal, wherever they stand: a type refers to itself by that alone. */
  #key({ params, results }: FunctionType, index: number): string {
    const text = (type: ValueType): string => {
      if (type < 0x80 || this.#references.heap(type) !== index) return String(type);
      return this.#references.isDefaultable(type) ? 'itself or null' : 'itself';
    };
    return `${Array.from(params, text).join()}:${Array.from(results, text).join()}`;
  }
}
