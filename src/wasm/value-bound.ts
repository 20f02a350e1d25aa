/**
 * A bound for what V8 keeps while it looks through code that Godwit does not validate itself (garbage collection and the
 * like), and compiles it: {@link LIMITS.functionValues}, {@link LIMITS.functionStates}. Every instruction begins at some byte, so each byte is taken for the beginning of
 * one. That counts a little too much, for hardly any type of a real program has several results; and it needs no table of
 * instructions, which would have to know all that V8 knows. Instructions with one value or none are not counted: there
 * are no more of them than bytes.
 */
import { LIMITS } from '../base/limits.ts';
import { OP } from './opcodes.ts';
import type { Outline } from './outline.ts';
import { WasmReader, invalid, tooManyStates, tooManyValues } from './reader.ts';
import { NON_NULL_PREFIX, NULLABLE_PREFIX } from './types.ts';
import type { FunctionType } from './types.ts';

const CODE = 10;

/** What an instruction names, by which its values are known. */
const NAMES = { nothing: 0, block: 1, callee: 2, type: 3, tag: 4, label: 5, collected: 6 } as const;

/** By the first byte of an instruction: one of {@link NAMES}. */
const namedBy: Uint8Array = new Uint8Array(256);
for (const opcode of [OP.block, OP.loop, OP.if, OP.try, OP.tryTable]) namedBy[opcode] = NAMES.block;
for (const opcode of [OP.callIndirect, OP.callRef]) namedBy[opcode] = NAMES.type;
// In unreachable code these leave the values of their label on the stack.
for (const opcode of [OP.brIf, OP.brOnNull, OP.brOnNonNull]) namedBy[opcode] = NAMES.label;
namedBy[OP.call] = NAMES.callee;
namedBy[OP.catch] = NAMES.tag;
namedBy[0xfb] = NAMES.collected;

/** Behind 0xfb: br_on_cast and br_on_cast_fail. */
const CASTS: ReadonlySet<number> = new Set([24, 25]);

/** @throws GodwitError `limit` if a function may have too many values; `invalid_module` if functions do not end within their section */
export function requireFewValues(outline: Outline): void {
  const { bytes, sections, functionTypes } = outline;
  for (const { id, start, end } of sections) {
    if (id !== CODE) continue;
    const r = new WasmReader(bytes, start, end);
    const count = r.count();
    const imported = functionTypes.length - count;
    for (let i = 0; i < count; i++) {
      const size = r.u32();
      const from = r.pos;
      r.skip(size);
      requireFewIn(outline, imported + i, from, r.pos);
    }
  }
}

function requireFewIn(outline: Outline, index: number, from: number, end: number): void {
  const { bytes } = outline;
  const arities = new Arities(outline, index);
  const locals = localsOf(outline, index, from, end);
  let values = 0;
  let states = 0;
  for (let at = from; at < end; at++) {
    const kind = namedBy[bytes[at]!]!;
    if (kind === NAMES.nothing) continue;
    let named = 0;
    let byte = 0x80;
    for (let i = 1; i <= 5 && byte >= 0x80 && at + i < end; i++) {
      byte = bytes[at + i]!;
      named += (byte & 0x7f) * 2 ** (7 * (i - 1));
    }
    if (kind === NAMES.block && arities.isBlock(named, byte)) {
      states += locals * (bytes[at] === OP.if ? 2 : 1);
      if (states > LIMITS.functionStates) tooManyStates(index);
    }
    const more = arities.of(kind, named, (byte & 0x40) !== 0);
    if (more <= 1) continue;
    values += more;
    if (values > LIMITS.functionValues) tooManyValues(index);
  }
}

/** @throws GodwitError `invalid_module` if there are more than V8 takes, or they do not end within the function */
function localsOf({ bytes, types, functionTypes }: Outline, index: number, from: number, end: number): number {
  const r = new WasmReader(bytes, from, end);
  let locals = types[functionTypes[index] ?? -1]?.params.length ?? 0;
  for (let groups = r.count(2); groups > 0; groups--) {
    const at = r.pos;
    locals += r.u32();
    if (locals > LIMITS.functionLocals) invalid(at, `too many locals: ${locals}`);
    const type = r.u8();
    if (type === NULLABLE_PREFIX || type === NON_NULL_PREFIX) r.signed(33);
  }
  return locals;
}

/** How many values instructions of one function have, met in their order. */
class Arities {
  readonly #outline: Outline;
  /** The most that a label so far may take: a label's block stands before those who name it. */
  #widest: number;

  constructor(outline: Outline, index: number) {
    this.#outline = outline;
    this.#widest = this.#results(outline.functionTypes[index]);
  }

  /**
   * @param kind one of {@link NAMES}
   * @param named the number behind the first byte
   * @param isNegative whether that stands for a negative one, where it may
   */
  of(kind: number, named: number, isNegative: boolean): number {
    switch (kind) {
      case NAMES.block:
        return isNegative ? 0 : this.#block(named);
      case NAMES.callee:
        return this.#results(this.#outline.functionTypes[named]);
      case NAMES.type:
        return this.#results(named);
      case NAMES.tag:
        return this.#type(this.#outline.tags[named])?.params.length ?? 0;
      case NAMES.collected:
        return CASTS.has(named) ? this.#widest : 0;
      default:
        return this.#widest;
    }
  }

  /** Whether what stands behind the first byte of a block is a type of blocks. @param last its last byte */
  isBlock(named: number, last: number): boolean {
    return (last & 0x40) !== 0 || this.#type(named) !== null;
  }

  #type(index = -1): FunctionType | null {
    return this.#outline.types[index] ?? null;
  }

  #results(index: number | undefined): number {
    return this.#type(index)?.results.length ?? 0;
  }

  #block(index: number): number {
    const type = this.#type(index);
    if (type === null) return 0;
    this.#widest = Math.max(this.#widest, type.params.length, type.results.length);
    return type.params.length + type.results.length;
  }
}
