/** The rules of bulk instructions on memories and tables (WebAssembly core specification, section 3.4). */
import { OP } from './opcodes.ts';
import { hex, invalid } from './reader.ts';
import { ReferenceRules } from './reference-rules.ts';
import { I32, I64 } from './types.ts';
import type { ValueType } from './types.ts';

export class BulkRules extends ReferenceRules {
  /** The second index where there is one (call_indirect and table.init: table; memory.init: memory; copies: source). */
  second = 0;
  /** What the last memory.init, memory.copy or memory.fill takes as its length, if that is a small constant before it. */
  length: number | null = null;
  /** Where an integer constant ended that is in `immediate`, if nothing has overwritten it. */
  protected constantEnd = 0;

  /** Destination, source and length of a bulk instruction. */
  #pop3(destination: ValueType, source: ValueType, length: ValueType): void {
    this.pop(length);
    this.pop(source);
    this.pop(destination);
  }

  /** The operands of a copy: the length is of the shorter address type. */
  #popCopy(destination: ValueType, source: ValueType): void {
    this.#pop3(destination, source, destination === I64 ? source : I32);
  }

  #readLength(): void {
    this.length = this.constantEnd === this.start && this.immediate >= 0 ? this.immediate : null;
  }

  protected bulk(opcode: number): void {
    const { memories, tables, elements, references } = this.module;
    switch (opcode) {
      case OP.memoryInit:
        this.#readLength();
        this.immediate = this.dataIndex();
        this.second = this.memoryIndex();
        return this.#pop3(memories[this.second]!.address, I32, I32);
      case OP.dataDrop:
        this.immediate = this.dataIndex();
        return;
      case OP.memoryCopy:
        this.#readLength();
        this.immediate = this.memoryIndex();
        this.second = this.memoryIndex();
        return this.#popCopy(memories[this.immediate]!.address, memories[this.second]!.address);
      case OP.memoryFill: {
        this.#readLength();
        this.immediate = this.memoryIndex();
        const { address } = memories[this.immediate]!;
        return this.#pop3(address, I32, address);
      }
      case OP.tableInit:
        this.immediate = this.elementIndex();
        this.second = this.tableIndex();
        if (!references.matches(elements[this.immediate]!.type, tables[this.second]!.element))
          this.fail(this.start, 'type mismatch between segment and table');
        return this.#pop3(tables[this.second]!.address, I32, I32);
      case OP.elemDrop:
        this.immediate = this.elementIndex();
        return;
      case OP.tableCopy:
        this.immediate = this.tableIndex();
        this.second = this.tableIndex();
        if (!references.matches(tables[this.second]!.element, tables[this.immediate]!.element))
          this.fail(this.start, 'type mismatch between tables');
        return this.#popCopy(tables[this.immediate]!.address, tables[this.second]!.address);
      case OP.tableGrow:
        this.immediate = this.tableIndex();
        this.pop(tables[this.immediate]!.address);
        this.pop(tables[this.immediate]!.element);
        return;
      case OP.tableSize:
        this.immediate = this.tableIndex();
        return;
      case OP.tableFill:
        this.immediate = this.tableIndex();
        this.pop(tables[this.immediate]!.address);
        this.pop(tables[this.immediate]!.element);
        this.pop(tables[this.immediate]!.address);
        return;
      default:
        invalid(this.start, `opcode ${hex(opcode)} has no rule`);
    }
  }
}
