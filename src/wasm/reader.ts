/**
 * Reading the binary format: bytes, LEB128 integers, names (WebAssembly core specification, section 5.2).
 * Every read is checked against the end, and the LEB128 rules are the strict ones: no more bytes than the width
 * needs, no set bit beyond it.
 */
import { decodeUtf8 } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** @throws GodwitError `invalid_module` that names the offset in the file */
export function invalid(offset: number, reason: string): never {
  throw new GodwitError('invalid_module', `offset ${hex(offset)}: ${reason}`);
}

/** A module uses what the engine does not take. */
export class UnsupportedFeature extends GodwitError {
  readonly feature: string;

  constructor(offset: number, feature: string, what: string) {
    super('unsupported_feature', `offset ${hex(offset)}: the module uses ${feature}${what === '' ? '' : ` (${what})`}`);
    this.feature = feature;
  }
}

/** A module that V8 may take has more of something than the engine has room for. */
export class TooMany extends GodwitError {
  constructor(what: string) {
    super('limit', what);
  }
}

/** @throws UnsupportedFeature that names the feature, where it was met and what of it */
export function unsupported(offset: number, feature: string, what = ''): never {
  throw new UnsupportedFeature(offset, feature, what);
}

/**
 * Such a module is not run either: V8's own validation would take the memory.
 * @throws GodwitError `limit`
 */
export function tooManyValues(functionIndex: number): never {
  throw new GodwitError(
    'limit',
    `function ${functionIndex}: its calls and blocks with several values have more than ${LIMITS.functionValues} in all`,
  );
}

/**
 * Nor such a one: V8's baseline compiler would take it.
 * @throws GodwitError `limit`
 */
export function tooManyStates(functionIndex: number): never {
  throw new GodwitError(
    'limit',
    `function ${functionIndex}: it has too many locals and operands for so many blocks, more than ${LIMITS.functionStates} in all`,
  );
}

export class WasmReader {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  u8(): number {
    if (this.pos >= this.end) invalid(this.pos, 'unexpected end');
    return this.bytes[this.pos++]!;
  }

  u32(): number {
    const first = this.pos < this.end ? this.bytes[this.pos]! : 0x80;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    return this.#longU32();
  }

  #longU32(): number {
    const at = this.pos;
    let result = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    const last = this.u8();
    if (last > 0x0f) invalid(at, last & 0x80 ? 'integer representation too long' : 'integer too large');
    return (result | (last << 28)) >>> 0;
  }

  /** A LEB128 of 64 bits. @returns its value, the nearest number where it is beyond 2^53 */
  u64(): number {
    const at = this.pos;
    let result = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.u8();
      if (i === 9 && byte > 1) invalid(at, byte & 0x80 ? 'integer representation too long' : 'integer too large');
      result += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
    return result;
  }

  /** A signed LEB128 of `bits` (32, 33 or 64) that is checked and passed over. @returns its low 32 bits, signed */
  signed(bits: number): number {
    const at = this.pos;
    const most = Math.ceil(bits / 7);
    let low = 0;
    for (let i = 0; i < most; i++) {
      const byte = this.u8();
      if (i * 7 < 32) low |= (byte & 0x7f) << (i * 7);
      if (byte < 0x80) {
        if (i === most - 1) this.#checkLast(byte, bits - i * 7, at);
        const used = (i + 1) * 7;
        if (used < 32 && byte & 0x40) low |= -1 << used;
        return low;
      }
    }
    return invalid(at, 'integer representation too long');
  }

  /** The last possible byte of a signed LEB128 has `used` bits; those above must repeat the sign. */
  #checkLast(byte: number, used: number, at: number): void {
    const sign = (byte >> (used - 1)) & 1;
    const above = (byte & 0x7f) >> used;
    if (above !== (sign ? 0x7f >> used : 0)) invalid(at, 'integer too large');
  }

  skip(size: number): void {
    if (size > this.end - this.pos) invalid(this.pos, `${size} bytes announced, ${this.end - this.pos} are left`);
    this.pos += size;
  }

  /** The count of a vector whose entries take at least `entryBytes`: a false claim is refused before anything is allocated. */
  count(entryBytes = 1): number {
    const at = this.pos;
    const count = this.u32();
    if (count * entryBytes > this.end - this.pos) invalid(at, `a vector claims ${count} entries: length out of bounds`);
    return count;
  }

  name(): string {
    const size = this.u32();
    const at = this.pos;
    this.skip(size);
    try {
      return decodeUtf8(this.bytes.subarray(at, at + size));
    } catch {
      return invalid(at, 'malformed UTF-8 encoding');
    }
  }
}
