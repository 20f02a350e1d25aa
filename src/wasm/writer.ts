/** Writing the binary format: a growing buffer with LEB128 and section helpers. */
import { encodeUtf8 } from '../base/bytes.ts';
import type { TypeList } from './types.ts';

/** Below this many bytes a loop is faster than making a view for `set`. */
const SMALL_COPY = 48;

export class WasmWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  #room(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, Math.ceil(this.bytes.length * 1.5)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(byte: number): void {
    if (this.length === this.bytes.length) this.#room(1);
    this.bytes[this.length++] = byte;
  }

  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** @param value a whole number up to 2^64; beyond 2^53 the nearest one that is a number */
  u64(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  s32(value: number): void {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.u8(rest & 0x7f);
  }

  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    while (rest < -64n || rest > 63n) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest & 0x7fn));
  }

  /** Bytes `from` to `to` of `source`, which may be this writer's own past. */
  copy(source: Uint8Array, from = 0, to = source.length): void {
    const size = to - from;
    this.#room(size);
    if (size > SMALL_COPY) {
      this.bytes.set(source.subarray(from, to), this.length);
      this.length += size;
      return;
    }
    const { bytes } = this;
    let at = this.length;
    for (let i = from; i < to; i++) bytes[at++] = source[i]!;
    this.length = at;
  }

  raw(...bytes: number[]): this {
    for (const byte of bytes) this.u8(byte);
    return this;
  }

  name(text: string): void {
    const bytes = encodeUtf8(text);
    this.u32(bytes.length);
    this.copy(bytes);
  }

  /** A vector of value types. */
  types(list: TypeList): void {
    this.u32(list.length);
    this.copy(list);
  }

  /** A section with this content; nothing if the content is empty and the section is not custom. */
  section(id: number, content: WasmWriter): void {
    this.u8(id);
    this.u32(content.length);
    this.copy(content.bytes, 0, content.length);
  }

  custom(name: string, content: WasmWriter): void {
    const named = new WasmWriter(content.length + name.length + 16);
    named.name(name);
    named.copy(content.bytes, 0, content.length);
    this.section(0, named);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}

/** The four bytes `\0asm` and version 1. */
export const PREAMBLE: Uint8Array = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
