/**
 * The two stacks of the validation algorithm (WebAssembly core specification, appendix, "Validation Algorithm"):
 * operand types and control frames, as flat arrays, so that walking a function allocates nothing.
 */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { typeOf } from './module.ts';
import type { Module } from './module.ts';
import { OP } from './opcodes.ts';
import { WasmReader, hex, tooManyStates, tooManyValues } from './reader.ts';
import { EXNREF, NO_TYPES, UNKNOWN } from './types.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

export class ValidationStacks extends WasmReader {
  readonly module: Module;
  /** The function that is walked: its index in the module. */
  functionIndex = 0;
  type: FunctionType = { params: NO_TYPES, results: NO_TYPES };
  /** Types of parameters and locals, in the first `localCount` bytes. */
  locals: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  localCount = 0;

  /** Operand types from the bottom, in the first `height` bytes. */
  operands: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  height = 0;
  /** The operand stack's height after popping the last instruction's operands and before pushing its results. */
  low = 0;

  /** Control frames, 0 is the function body; `depth` is the innermost one, -1 behind the last `end`. */
  depth = -1;
  frameOpcode: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  frameStart: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  /** Operand height below the frame's parameters. */
  frameBase: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  /** 1 while the code is unreachable. */
  frameDead: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  frameParams: TypeList[] = [];
  frameResults: TypeList[] = [];

  /** Of the function so far: see {@link LIMITS.functionValues}. */
  #values = 0;
  /** See {@link LIMITS.functionStates}. */
  #states = 0;
  /** What is before it and passed again ({@link rewindToLoop}) does not count for these a second time. */
  #passed = 0;

  /** By local: 1 if it may not be read yet, for it has no value and no default. */
  #unset = new Uint8Array(256);
  /** Locals that have been set, in that order, and how many of them there were when each frame began. */
  readonly #set: number[] = [];
  readonly #frameSet: number[] = [];

  /** True once code has been passed that handles exceptions or has a local or operand that can hold one. */
  hasExceptions = false;

  /** The first byte of the instruction at hand. */
  start = 0;

  constructor(module: Module) {
    super(module.bytes);
    this.module = module;
  }

  /** Starts with function `index` (a defined one): reads its locals. */
  enter(index: number): void {
    const { module } = this;
    const body = index - module.importedFunctions;
    this.functionIndex = index;
    this.type = typeOf(module, index);
    this.pos = module.bodyStarts[body]!;
    this.end = module.bodyEnds[body]!;
    this.height = 0;
    this.depth = -1;
    this.#values = 0;
    this.#states = 0;
    this.#passed = 0;
    this.#readLocals();
    this.pushFrame(OP.block, NO_TYPES, this.type.results);
  }

  #readLocals(): void {
    const { params } = this.type;
    this.#roomForLocals(params.length);
    this.locals.set(params);
    this.localCount = params.length;
    this.#set.length = 0;
    this.#unset.fill(0, 0, params.length);
    const groups = this.count(2);
    for (let i = 0; i < groups; i++) {
      const at = this.pos;
      const count = this.u32();
      if (this.localCount + count > LIMITS.functionLocals) this.fail(at, `too many locals: ${this.localCount + count}`);
      const type = this.valueType();
      this.#roomForLocals(this.localCount + count);
      this.locals.fill(type, this.localCount, this.localCount + count);
      const unset = this.module.references.isDefaultable(type) ? 0 : 1;
      this.#unset.fill(unset, this.localCount, this.localCount + count);
      this.localCount += count;
    }
  }

  #roomForLocals(count: number): void {
    if (count <= this.locals.length) return;
    const grown = new Uint8Array(Math.max(count, this.locals.length * 2));
    grown.set(this.locals);
    this.locals = grown;
    const unset = new Uint8Array(grown.length);
    unset.set(this.#unset);
    this.#unset = unset;
  }

  /** Whether a local may be read here (core specification, section 3.4, `local.get`). */
  protected isSet(local: number): boolean {
    return this.#unset[local] === 0;
  }

  /** A local without a default gets a value, for the rest of the innermost construct. */
  protected nowSet(local: number): void {
    if (this.#unset[local] === 0) return;
    this.#unset[local] = 0;
    this.#set.push(local);
  }

  /** True while the code at the current position cannot be reached. */
  get dead(): boolean {
    return this.frameDead[this.depth] === 1;
  }

  /** @throws GodwitError `invalid_module` that names the function and the offset */
  fail(at: number, reason: string): never {
    throw new GodwitError('invalid_module', `function ${this.functionIndex}, offset ${hex(at)}: ${reason}`);
  }

  push(type: ValueType): void {
    if (this.height === this.operands.length) {
      const grown = new Uint8Array(this.operands.length * 2);
      grown.set(this.operands);
      this.operands = grown;
    }
    this.operands[this.height++] = type;
  }

  /** Pops an operand of the wanted type; any type if `wanted` is {@link UNKNOWN}. @returns the type found */
  pop(wanted: ValueType): ValueType {
    const at = this.height;
    if (at === this.frameBase[this.depth]!) return this.#popBase(wanted);
    const found = this.operands[at - 1]!;
    if (found !== wanted) this.#mustMatch(found, wanted);
    this.height = at - 1;
    return found;
  }

  #mustMatch(found: ValueType, wanted: ValueType): void {
    const { references } = this.module;
    if (references.matches(found, wanted)) return;
    this.fail(this.start, `type mismatch: ${references.name(wanted)} is wanted, ${references.name(found)} is there`);
  }

  #popBase(wanted: ValueType): ValueType {
    if (this.dead) return UNKNOWN;
    return this.#fewOperands(wanted);
  }

  pushAll(types: TypeList): void {
    if (types.length > 1) this.#several(types.length);
    for (let i = 0; i < types.length; i++) this.push(types[i]!);
  }

  /** Counts values that come several at a time: of them alone a function can have far more than bytes. */
  #several(values: number): void {
    if (this.start < this.#passed) return;
    this.#values += values;
    if (this.#values > LIMITS.functionValues) tooManyValues(this.functionIndex);
  }

  protected popAll(types: TypeList): void {
    for (let i = types.length - 1; i >= 0; i--) this.pop(types[i]!);
  }

  protected pushFrame(opcode: number, params: TypeList, results: TypeList): void {
    this.#states += this.start >= this.#passed ? (this.localCount + this.height) * (opcode === OP.if ? 2 : 1) : 0;
    if (this.#states > LIMITS.functionStates) tooManyStates(this.functionIndex);
    const depth = ++this.depth;
    if (depth === this.frameOpcode.length) this.#growFrames();
    this.frameOpcode[depth] = opcode;
    this.frameStart[depth] = this.start;
    this.frameBase[depth] = this.height;
    this.frameDead[depth] = 0;
    this.frameParams[depth] = params;
    this.frameResults[depth] = results;
    this.#frameSet[depth] = this.#set.length;
    this.pushAll(params);
  }

  #growFrames(): void {
    const size = this.frameOpcode.length * 2;
    this.frameOpcode = grown(this.frameOpcode, new Uint8Array(size));
    this.frameDead = grown(this.frameDead, new Uint8Array(size));
    this.frameStart = grown(this.frameStart, new Uint32Array(size));
    this.frameBase = grown(this.frameBase, new Uint32Array(size));
  }

  /** Checks that the frame ends with exactly its results and takes them off; locals that were set in it count as unset. */
  protected closeFrame(): void {
    while (this.#set.length > this.#frameSet[this.depth]!) this.#unset[this.#set.pop()!] = 1;
    this.popAll(this.frameResults[this.depth]!);
    if (this.height !== this.frameBase[this.depth]!) {
      this.fail(
        this.start,
        `type mismatch: ${this.height - this.frameBase[this.depth]!} operands too many at the end of a block`,
      );
    }
  }

  protected makeDead(): void {
    this.height = this.frameBase[this.depth]!;
    this.frameDead[this.depth] = 1;
  }

  /** Goes back to just before the loop whose `end` has just been passed, its parameters on the stack again. */
  rewindToLoop(): void {
    const loop = this.depth + 1;
    this.#passed = Math.max(this.#passed, this.pos);
    this.pos = this.frameStart[loop]!;
    this.height = this.frameBase[loop]!;
    this.pushAll(this.frameParams[loop]!);
  }

  protected valueType(): ValueType {
    const { references, types } = this.module;
    const type = references.read(this, types.length);
    if (references.top(type) === EXNREF) this.hasExceptions = true;
    return type;
  }

  /** What a branch to label `label` carries. */
  labelTypes(label: number): TypeList {
    const frame = this.depth - label;
    return this.frameOpcode[frame] === OP.loop ? this.frameParams[frame]! : this.frameResults[frame]!;
  }

  /** Checks the top of the stack without changing it; behind the base of dead code anything goes. */
  protected peek(types: TypeList): void {
    const base = this.frameBase[this.depth]!;
    for (let i = types.length - 1, at = this.height - 1; i >= 0; i--, at--) {
      if (at < base) return this.#popBaseAt(types[i]!);
      const found = this.operands[at]!;
      this.#mustMatch(found, types[i]!);
    }
  }

  #popBaseAt(wanted: ValueType): void {
    if (!this.dead) this.#fewOperands(wanted);
  }

  #fewOperands(wanted: ValueType): never {
    const name = this.module.references.name(wanted);
    return this.fail(this.start, `type mismatch: ${name} is wanted, the stack is empty`);
  }
}

function grown<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
