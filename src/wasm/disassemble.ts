/**
 * Code as text, an instruction a line, in the manner of the text format but unfolded. For people: nothing is checked but
 * that the bytes can be read, and numbers are as they stand in the code (labels count from the inside).
 */
import { mnemonic } from './mnemonics.ts';
import { IMMEDIATE, alignmentOf, immediateOf } from './instructions.ts';
import { OP, PREFIXED } from './opcodes.ts';
import { WasmReader, hex, invalid } from './reader.ts';
import { NON_NULL_PREFIX, NULLABLE_PREFIX, typeName } from './types.ts';

/** What an index counts. */
export type Space = 'function' | 'table' | 'memory' | 'global' | 'tag' | 'local' | 'type' | 'data' | 'elem';

/** How an index is shown; a type as it stands in an instruction: `(type 0)`, or what it is. */
export type Namer = (space: Space, index: number) => string;

export interface Line {
  /** Of the instruction's first byte. */
  readonly offset: number;
  /** How many constructs are open around it. */
  readonly depth: number;
  readonly text: string;
}

export const plainNames: Namer = (space, index) => (space === 'type' ? `(type ${index})` : String(index));

/** The indices that follow an opcode, in the order of the binary; 'label' has no names. */
const INDICES: ReadonlyMap<number, readonly (Space | 'label')[]> = new Map<number, readonly (Space | 'label')[]>([
  [OP.br, ['label']],
  [OP.brIf, ['label']],
  [OP.rethrow, ['label']],
  [OP.delegate, ['label']],
  [OP.throw, ['tag']],
  [OP.catch, ['tag']],
  [OP.call, ['function']],
  [OP.returnCall, ['function']],
  [OP.refFunc, ['function']],
  [OP.callRef, ['type']],
  [OP.returnCallRef, ['type']],
  [OP.brOnNull, ['label']],
  [OP.brOnNonNull, ['label']],
  [OP.callIndirect, ['type', 'table']],
  [OP.returnCallIndirect, ['type', 'table']],
  [OP.localGet, ['local']],
  [OP.localSet, ['local']],
  [OP.localTee, ['local']],
  [OP.globalGet, ['global']],
  [OP.globalSet, ['global']],
  [OP.tableGet, ['table']],
  [OP.tableSet, ['table']],
  [OP.memorySize, ['memory']],
  [OP.memoryGrow, ['memory']],
  [OP.memoryInit, ['data', 'memory']],
  [OP.dataDrop, ['data']],
  [OP.memoryCopy, ['memory', 'memory']],
  [OP.memoryFill, ['memory']],
  [OP.tableInit, ['elem', 'table']],
  [OP.elemDrop, ['elem']],
  [OP.tableCopy, ['table', 'table']],
  [OP.tableGrow, ['table']],
  [OP.tableSize, ['table']],
  [OP.tableFill, ['table']],
]);

const OPENING: ReadonlySet<number> = new Set([OP.block, OP.loop, OP.if, OP.try, OP.tryTable]);
const CLAUSES: ReadonlySet<number> = new Set([OP.else, OP.catch, OP.catchAll]);
/** The prefix of the instructions of garbage collection, and those of them that cast to a type without null or with it. */
const GARBAGE_COLLECTION = 0xfb;
const REF_CAST = 22;
const REF_CAST_NULL = 23;
const CATCHES = ['catch', 'catch_ref', 'catch_all', 'catch_all_ref'] as const;

/**
 * @param bytes code without its local declarations, with or without the final `end`
 * @throws GodwitError `invalid_module` where the bytes are no instruction
 */
export function disassemble(bytes: Uint8Array, start: number, end: number, name: Namer = plainNames): Line[] {
  const code = new CodeReader(bytes, start, end, name);
  const lines: Line[] = [];
  let depth = 0;
  while (code.pos < end) {
    const offset = code.pos;
    const { opcode, text } = code.instruction();
    if (opcode === OP.end || opcode === OP.delegate) depth = Math.max(0, depth - 1);
    lines.push({ offset, depth: CLAUSES.has(opcode) ? Math.max(0, depth - 1) : depth, text });
    if (OPENING.has(opcode)) depth++;
  }
  return lines;
}

/** The instruction at `start`, without a look at those behind it. @throws GodwitError as {@link disassemble} does */
export function instructionAt(bytes: Uint8Array, start: number, end: number, name: Namer = plainNames): string {
  return new CodeReader(bytes, start, end, name).instruction().text;
}

class CodeReader extends WasmReader {
  readonly #name: Namer;

  constructor(bytes: Uint8Array, start: number, end: number, name: Namer) {
    super(bytes, start, end);
    this.#name = name;
  }

  instruction(): { opcode: number; text: string } {
    const at = this.pos;
    if (this.bytes[at] === GARBAGE_COLLECTION) return { opcode: GARBAGE_COLLECTION, text: this.#cast() };
    const opcode = this.#opcode();
    const known = mnemonic(opcode);
    if (known === undefined) invalid(at, `illegal opcode ${hex(this.bytes[at]!)}`);
    return { opcode, text: [known, ...this.#immediates(opcode)].filter(Boolean).join(' ') };
  }

  /** The one instruction behind this prefix that the engine itself writes. */
  #cast(): string {
    const at = this.pos++;
    const sub = this.u32();
    if (sub !== REF_CAST && sub !== REF_CAST_NULL) invalid(at, 'illegal opcode');
    return `ref.cast (ref ${sub === REF_CAST ? '' : 'null '}${this.#heapType()})`;
  }

  #opcode(): number {
    const at = this.pos;
    const byte = this.u8();
    const numbers = PREFIXED.get(byte);
    if (numbers === undefined) return byte;
    const opcode = numbers.first + this.u32();
    if (opcode >= numbers.end) invalid(at, 'illegal opcode');
    return opcode;
  }

  #immediates(opcode: number): string[] {
    const indices = INDICES.get(opcode);
    if (indices !== undefined) return this.#indices(opcode, indices);
    switch (immediateOf[opcode]) {
      case IMMEDIATE.memory:
      case IMMEDIATE.atomic:
        return this.#memoryArgument(opcode);
      case IMMEDIATE.fence:
        this.u8();
        return [];
      case IMMEDIATE.memoryLane:
        return [...this.#memoryArgument(opcode), String(this.u8())];
      case IMMEDIATE.lane:
        return [String(this.u8())];
      case IMMEDIATE.lanes16:
        return Array.from({ length: 16 }, () => String(this.u8()));
      case IMMEDIATE.i32:
        return [String(this.signed(32))];
      case IMMEDIATE.i64:
        return [String(this.#s64())];
      case IMMEDIATE.f32:
        return [float(this.#view(4).getFloat32(0, true))];
      case IMMEDIATE.f64:
        return [float(this.#view(8).getFloat64(0, true))];
      case IMMEDIATE.v128:
        return ['i32x4', ...Array.from({ length: 4 }, () => `0x${this.#view(4).getUint32(0, true).toString(16)}`)];
      default:
        return this.#special(opcode);
    }
  }

  /** Memories are left out where the text format need not have them: if all are the first one and that has no name. */
  #indices(opcode: number, spaces: readonly (Space | 'label')[]): string[] {
    const read = spaces.map((space) => {
      const index = this.u32();
      return { space, text: space === 'label' ? String(index) : this.#name(space, index) };
    });
    const plain = read.every(({ space, text }) => space !== 'memory' || text === '0');
    const shown = plain ? read.filter(({ space }) => space !== 'memory') : read;
    if (opcode === OP.callIndirect || opcode === OP.returnCallIndirect) shown.reverse();
    return shown.map(({ text }) => text);
  }

  #special(opcode: number): string[] {
    switch (opcode) {
      case OP.block:
      case OP.loop:
      case OP.if:
      case OP.try:
        return this.#blockType();
      case OP.tryTable:
        return [...this.#blockType(), ...Array.from({ length: this.count(2) }, () => this.#clause())];
      case OP.brTable:
        return Array.from({ length: this.count() + 1 }, () => String(this.u32()));
      case OP.selectTyped:
        return [`(result ${Array.from({ length: this.count() }, () => this.#valueType()).join(' ')})`];
      case OP.refNull:
        return [this.#heapType()];
      default:
        return [];
    }
  }

  #clause(): string {
    const at = this.pos;
    const kind = this.u8();
    const word = CATCHES[kind] ?? invalid(at, `malformed catch clause ${kind}`);
    const tag = kind < 2 ? `${this.#name('tag', this.u32())} ` : '';
    return `(${word} ${tag}${this.u32()})`;
  }

  #blockType(): string[] {
    const byte = this.pos < this.end ? this.bytes[this.pos]! : 0x40;
    if (byte === 0x40) {
      this.u8();
      return [];
    }
    if (byte > 0x40 && byte < 0x80) {
      return [`(result ${this.#valueType()})`];
    }
    return [this.#name('type', this.signed(33))];
  }

  #valueType(): string {
    const byte = this.u8();
    if (byte === NULLABLE_PREFIX) return `(ref null ${this.#heapType()})`;
    return byte === NON_NULL_PREFIX ? `(ref ${this.#heapType()})` : typeName(byte);
  }

  #heapType(): string {
    const byte = this.pos < this.end ? this.bytes[this.pos]! : 0;
    const heap = this.signed(33);
    return heap >= 0 ? String(heap) : typeName(byte).replace(/ref$/, '');
  }

  #memoryArgument(opcode: number): string[] {
    let alignment = this.u32();
    let memory = 0;
    if (alignment >= 0x40 && alignment < 0x80) {
      alignment -= 0x40;
      memory = this.u32();
    }
    const offset = this.u64();
    const name = this.#name('memory', memory);
    return [
      ...(name === '0' ? [] : [name]),
      ...(offset === 0 ? [] : [`offset=${offset}`]),
      ...(alignment === alignmentOf[opcode] ? [] : [`align=${2 ** alignment}`]),
    ];
  }

  #s64(): bigint {
    let value = 0n;
    let shift = 0n;
    let byte: number;
    const start = this.pos;
    this.signed(64);
    const behind = this.pos;
    this.pos = start;
    do {
      byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (this.pos < behind);
    return BigInt.asIntN(64, byte & 0x40 ? value - (1n << shift) : value);
  }

  #view(size: number): DataView {
    const at = this.pos;
    this.skip(size);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, size);
  }
}

function float(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : value < 0 ? '-inf' : 'inf';
}
