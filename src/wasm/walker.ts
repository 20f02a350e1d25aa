/**
 * The validation algorithm of the WebAssembly core specification (appendix, "Validation Algorithm"), one instruction
 * at a time: after each {@link FunctionWalker.step} the operand and control stacks are those behind the instruction,
 * so whoever drives the walker knows every operand's type. Modules of tens of millions of instructions pass through
 * here: a step allocates nothing.
 */
import { BulkRules } from './bulk.ts';
import { typeOf } from './module.ts';
import { IMMEDIATE, immediateOf, lanesOf, signatureOf } from './instructions.ts';
import { OP, PREFIXED, unsupportedFeature } from './opcodes.ts';
import { hex, unsupported } from './reader.ts';
import { FUNCREF, I32, I64, UNKNOWN, isNumeric } from './types.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

export class FunctionWalker extends BulkRules {
  /** What labels of the `br_table` at hand take, as far as it has been compared with the operands. */
  readonly #checked = new Set<TypeList>();

  /** Passes one instruction. @returns false if it was the function's last `end` */
  step(): boolean {
    this.start = this.pos;
    let opcode = this.u8();
    if (opcode >= 0xfb) opcode = this.#prefixed(opcode);
    this.opcode = opcode;
    const immediate = immediateOf[opcode]!;
    if (immediate === IMMEDIATE.special) return this.#special(opcode);
    let signature = signatureOf[opcode]!;
    if (immediate !== IMMEDIATE.none) {
      this.#skipImmediate(opcode, immediate);
      if (this.address !== I32) signature = this.#wide(signature);
    }
    const first = signature & 0xff;
    if (first !== 0) {
      this.pop(first);
      const second = (signature >> 8) & 0xff;
      if (second !== 0) {
        this.pop(second);
        const third = (signature >> 16) & 0xff;
        if (third !== 0) this.pop(third);
      }
    }
    this.low = this.height;
    const result = signature >>> 24;
    if (result !== 0) this.push(result);
    return true;
  }

  /** The signature of a memory access with a 64-bit address, which is the operand deepest on the stack. */
  #wide(signature: number): number {
    this.address = I32;
    const shift = (signature >> 16) & 0xff ? 16 : (signature >> 8) & 0xff ? 8 : 0;
    return (signature & ~(0xff << shift)) | (I64 << shift);
  }

  #prefixed(prefix: number): number {
    const numbers = PREFIXED.get(prefix);
    if (numbers !== undefined) {
      const sub = this.u32();
      const opcode = numbers.first + sub;
      if (opcode < numbers.end && immediateOf[opcode] !== IMMEDIATE.invalid) return opcode;
      const feature = prefix === 0xfc ? unsupportedFeature(opcode) : undefined;
      if (feature !== undefined) unsupported(this.start, feature);
      this.fail(this.start, `illegal opcode ${hex(prefix)} ${hex(sub)}`);
    }
    const feature = unsupportedFeature(prefix);
    if (feature !== undefined) unsupported(this.start, feature);
    return this.fail(this.start, `illegal opcode ${hex(prefix)}`);
  }

  #skipImmediate(opcode: number, immediate: number): void {
    switch (immediate) {
      case IMMEDIATE.memory:
        return this.memoryArgument(opcode);
      case IMMEDIATE.atomic:
        return this.memoryArgument(opcode, true);
      case IMMEDIATE.fence:
        if (this.u8() !== 0) this.fail(this.pos - 1, 'zero byte expected: the order of a fence');
        return;
      case IMMEDIATE.i32:
        this.immediate = this.signed(32);
        this.constantEnd = this.pos;
        return;
      case IMMEDIATE.i64:
        this.immediate = this.signed(64);
        // Of one in four bytes the low 32 bits are all that there is.
        if (this.pos - this.start <= 5) this.constantEnd = this.pos;
        return;
      case IMMEDIATE.f32:
        return this.skip(4);
      case IMMEDIATE.f64:
        return this.skip(8);
      case IMMEDIATE.v128:
        return this.skip(16);
      case IMMEDIATE.lanes16:
        for (let i = 0; i < 16; i++) if (this.u8() >= 32) this.fail(this.pos - 1, 'invalid lane index');
        return;
      case IMMEDIATE.lane:
        if (this.u8() >= lanesOf[opcode]!) this.fail(this.pos - 1, 'invalid lane index');
        return;
      case IMMEDIATE.memoryLane:
        this.memoryArgument(opcode);
        if (this.u8() >= lanesOf[opcode]!) this.fail(this.pos - 1, 'invalid lane index');
        return;
      default: {
        const feature = unsupportedFeature(opcode);
        if (feature !== undefined) unsupported(this.start, feature);
        this.fail(this.start, `illegal opcode ${hex(opcode)}`);
      }
    }
  }

  #special(opcode: number): boolean {
    switch (opcode) {
      case OP.localGet:
        this.low = this.height;
        this.push(this.localIndex());
        if (!this.isSet(this.immediate)) this.fail(this.start, `uninitialized local ${this.immediate}`);
        return true;
      case OP.localSet:
        this.pop(this.localIndex());
        this.nowSet(this.immediate);
        break;
      case OP.localTee: {
        const type = this.localIndex();
        this.pop(type);
        this.nowSet(this.immediate);
        this.low = this.height;
        this.push(type);
        return true;
      }
      case OP.block:
      case OP.loop:
      case OP.if:
        this.blockType();
        if (opcode === OP.if) this.pop(I32);
        this.popAll(this.blockParams);
        this.low = this.height;
        this.pushFrame(opcode, this.blockParams, this.blockResults);
        return true;
      case OP.end:
      case OP.delegate:
        return this.#end();
      case OP.else:
        this.#else();
        return true;
      case OP.br:
        this.immediate = this.labelIndex();
        this.popAll(this.labelTypes(this.immediate));
        this.low = this.height;
        this.makeDead();
        return true;
      case OP.brIf: {
        this.immediate = this.labelIndex();
        this.pop(I32);
        const types = this.labelTypes(this.immediate);
        this.popAll(types);
        this.low = this.height;
        this.pushAll(types);
        return true;
      }
      case OP.brTable:
        this.#brTable();
        break;
      case OP.return:
        this.popAll(this.type.results);
        this.low = this.height;
        this.makeDead();
        return true;
      case OP.unreachable:
        this.low = this.height;
        this.makeDead();
        return true;
      case OP.call:
        this.#apply(this.#callee());
        return true;
      case OP.callIndirect:
        this.#apply(this.#indirectCallee());
        return true;
      case OP.callRef:
        this.#apply(this.#referredCallee());
        return true;
      case OP.returnCall:
        this.#leave(this.#callee());
        return true;
      case OP.returnCallRef:
        this.#leave(this.#referredCallee());
        return true;
      case OP.returnCallIndirect:
        this.#leave(this.#indirectCallee());
        return true;
      case OP.drop:
        this.pop(UNKNOWN);
        break;
      case OP.select:
        this.#select();
        return true;
      default:
        return this.exception(opcode) || this.reference(opcode) || this.#rare(opcode);
    }
    this.low = this.height;
    return true;
  }

  #apply(type: FunctionType): void {
    this.popAll(type.params);
    this.low = this.height;
    this.pushAll(type.results);
  }

  #end(): boolean {
    const { depth } = this;
    if (this.opcode === OP.delegate) this.delegated();
    this.closeFrame();
    if (
      this.frameOpcode[depth] === OP.if &&
      !this.module.references.matchAll(this.frameParams[depth]!, this.frameResults[depth]!)
    ) {
      this.fail(this.start, 'type mismatch: an if without else changes the stack');
    }
    this.low = this.height;
    this.depth = depth - 1;
    if (depth === 0) {
      if (this.pos !== this.end) this.fail(this.pos, 'code after the end of the function');
      return false;
    }
    this.pushAll(this.frameResults[depth]!);
    return true;
  }

  #else(): void {
    const { depth } = this;
    if (this.frameOpcode[depth] !== OP.if) this.fail(this.start, 'else without if');
    this.closeFrame();
    this.low = this.height;
    this.frameOpcode[depth] = OP.else;
    this.frameDead[depth] = 0;
    this.pushAll(this.frameParams[depth]!);
  }

  #brTable(): void {
    this.pop(I32);
    const count = this.count();
    const targets = this.pos;
    for (let i = 0; i < count; i++) this.labelIndex();
    this.immediate = this.labelIndex();
    const behind = this.pos;
    const wanted = this.labelTypes(this.immediate);
    this.pos = targets;
    this.#checked.clear();
    for (let i = 0; i < count; i++) {
      const types = this.labelTypes(this.labelIndex());
      // Most labels take what the default one does. Others are looked at once: each may take a thousand values.
      if (types === wanted || this.#checked.has(types)) continue;
      this.#checked.add(types);
      if (types.length !== wanted.length) this.fail(targets, 'type mismatch: br_table labels differ in arity');
      this.peek(types);
    }
    this.pos = behind;
    this.popAll(wanted);
    this.low = this.height;
    this.makeDead();
  }

  /** Whom a direct call calls. */
  #callee(): FunctionType {
    this.immediate = this.functionOperand();
    return typeOf(this.module, this.immediate);
  }

  /** A tail call: the callee returns in place of this function. */
  #leave(type: FunctionType): void {
    if (!this.module.references.matchAll(type.results, this.type.results))
      this.fail(this.start, 'type mismatch: a tail call of other results');
    this.popAll(type.params);
    this.low = this.height;
    this.makeDead();
  }

  #indirectCallee(): FunctionType {
    const at = this.pos;
    const type = this.typeIndex();
    this.second = this.tableIndex();
    const { tables, references } = this.module;
    if (!references.matches(tables[this.second]!.element, FUNCREF))
      this.fail(at, 'type mismatch: call_indirect needs a table of functions');
    this.pop(tables[this.second]!.address);
    return type;
  }

  /** Whom a call of a reference calls. */
  #referredCallee(): FunctionType {
    const type = this.typeIndex();
    this.pop(this.module.references.type(this.immediate, true));
    return type;
  }

  #select(): void {
    this.pop(I32);
    const a = this.pop(UNKNOWN);
    const b = this.pop(UNKNOWN);
    if ((a !== UNKNOWN && !isNumeric(a)) || (b !== UNKNOWN && !isNumeric(b)))
      this.fail(this.start, 'type mismatch: select of references needs a type');
    if (a !== b && a !== UNKNOWN && b !== UNKNOWN) this.fail(this.start, 'type mismatch: select of two types');
    this.low = this.height;
    this.push(a === UNKNOWN ? b : a);
  }

  #rare(opcode: number): boolean {
    const { memories, tables } = this.module;
    let result: ValueType = UNKNOWN;
    switch (opcode) {
      case OP.selectTyped: {
        if (this.u32() !== 1) this.fail(this.start, 'invalid result arity of select');
        result = this.valueType();
        this.pop(I32);
        this.pop(result);
        this.pop(result);
        break;
      }
      case OP.globalGet:
        result = this.globalIndex(false);
        break;
      case OP.globalSet:
        this.pop(this.globalIndex(true));
        break;
      case OP.tableGet:
        this.immediate = this.tableIndex();
        this.pop(tables[this.immediate]!.address);
        result = tables[this.immediate]!.element;
        break;
      case OP.tableSet:
        this.immediate = this.tableIndex();
        this.pop(tables[this.immediate]!.element);
        this.pop(tables[this.immediate]!.address);
        break;
      case OP.memorySize:
        this.immediate = this.memoryIndex();
        result = memories[this.immediate]!.address;
        break;
      case OP.memoryGrow:
        result = memories[this.memoryIndex()]!.address;
        this.pop(result);
        break;
      default:
        this.bulk(opcode);
        if (opcode === OP.tableGrow || opcode === OP.tableSize) result = tables[this.immediate]!.address;
    }
    this.low = this.height;
    if (result !== UNKNOWN) this.push(result);
    return true;
  }
}
