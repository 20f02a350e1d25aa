/**
 * The immediates of instructions: each index is read and checked against the module (WebAssembly core specification,
 * sections 3.4 and 5.4). `immediate` holds the index that the rules of an instruction need beside its type.
 */
import { alignmentOf } from './instructions.ts';
import { ValidationStacks } from './stacks.ts';
import { I32, I64, NO_TYPES, oneType } from './types.ts';
import type { FunctionType, TypeList, ValueType } from './types.ts';

export class ImmediateReader extends ValidationStacks {
  /** The instruction that the last step passed: its number and its immediates. */
  opcode = 0;
  /** Label depth, or index of local, global, function, type, table, segment: whatever comes first. */
  immediate = 0;
  /** Type of the address of the last memory access. */
  protected address: ValueType = I32;
  /** Memory and offset of the last memory access; an offset from 2^53 on is the nearest number. */
  accessMemory = 0;
  accessOffset = 0;
  /** Parameters and results of the block type that was read last. */
  protected blockParams: TypeList = NO_TYPES;
  protected blockResults: TypeList = NO_TYPES;

  /**
   * Alignment and offset of a memory access, and the memory's index if it is not 0.
   * @param exact whether the alignment must be the natural one, as that of atomic instructions
   */
  protected memoryArgument(opcode: number, exact = false): void {
    const at = this.pos;
    let alignment = this.u32();
    let memory = 0;
    if (alignment >= 0x40 && alignment < 0x80) {
      alignment -= 0x40;
      memory = this.u32();
    }
    if (alignment > alignmentOf[opcode]!) this.fail(at, 'alignment must not be larger than natural');
    if (exact && alignment < alignmentOf[opcode]!) this.fail(at, 'alignment of an atomic access must be natural');
    const type = this.module.memories[memory];
    if (type === undefined) this.fail(at, `unknown memory ${memory}`);
    this.address = type.address;
    this.accessMemory = memory;
    this.accessOffset = type.address === I64 ? this.u64() : this.u32();
  }

  protected memoryIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (index >= this.module.memories.length) this.fail(at, `unknown memory ${index}`);
    return index;
  }

  protected blockType(): void {
    const at = this.pos;
    const byte = this.pos < this.end ? this.bytes[this.pos]! : 0x40;
    if (byte >= 0x40 && byte < 0x80) {
      this.blockParams = NO_TYPES;
      if (byte === 0x40) this.u8();
      this.blockResults = byte === 0x40 ? NO_TYPES : oneType(this.valueType());
      return;
    }
    const index = this.signed(33);
    const type = index < 0 ? undefined : this.module.types[index];
    if (type === undefined) this.fail(at, `unknown block type ${index}`);
    this.blockParams = type.params;
    this.blockResults = type.results;
  }

  protected labelIndex(): number {
    const at = this.pos;
    const label = this.u32();
    if (label > this.depth) this.fail(at, `unknown label ${label}`);
    return label;
  }

  protected functionOperand(): number {
    const at = this.pos;
    const index = this.u32();
    if (index >= this.module.functionTypes.length) this.fail(at, `unknown function ${index}`);
    return index;
  }

  protected tagIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (index >= this.module.tags.length) this.fail(at, `unknown tag ${index}`);
    return index;
  }

  protected localIndex(): ValueType {
    const at = this.pos;
    this.immediate = this.u32();
    if (this.immediate >= this.localCount) this.fail(at, `unknown local ${this.immediate}`);
    return this.locals[this.immediate]!;
  }

  protected typeIndex(): FunctionType {
    const at = this.pos;
    this.immediate = this.u32();
    const type = this.module.types[this.immediate];
    if (type === undefined) this.fail(at, `unknown type ${this.immediate}`);
    return type;
  }

  protected tableIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (index >= this.module.tables.length) this.fail(at, `unknown table ${index}`);
    return index;
  }

  protected dataIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (this.module.dataCount === null) this.fail(at, 'data count section required');
    if (index >= this.module.datas.length) this.fail(at, `unknown data segment ${index}`);
    return index;
  }

  protected elementIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (index >= this.module.elements.length) this.fail(at, `unknown elem segment ${index}`);
    return index;
  }

  protected globalIndex(write: boolean): ValueType {
    const at = this.pos;
    this.immediate = this.u32();
    const global = this.module.globals[this.immediate];
    if (global === undefined) this.fail(at, `unknown global ${this.immediate}`);
    if (write && !global.mutable) this.fail(at, 'global is immutable');
    return global.type;
  }
}
