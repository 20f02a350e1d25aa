/** The rules of instructions on references (WebAssembly core specification, section 3.4, "Reference Instructions"). */
import { ExceptionRules } from './exceptions.ts';
import { OP } from './opcodes.ts';
import { EXNREF, I32, UNKNOWN, isNumeric } from './types.ts';
import type { ValueType } from './types.ts';

export class ReferenceRules extends ExceptionRules {
  /** @returns false if it is another instruction */
  protected reference(opcode: number): boolean {
    switch (opcode) {
      case OP.refNull:
        this.low = this.height;
        this.push(this.#null());
        return true;
      case OP.refIsNull:
        this.#popReference();
        this.low = this.height;
        this.push(I32);
        return true;
      case OP.refAsNonNull: {
        const found = this.#popReference();
        this.low = this.height;
        this.push(this.module.references.nonNull(found));
        return true;
      }
      case OP.refFunc: {
        const at = this.pos;
        this.immediate = this.functionOperand();
        if (this.module.declared[this.immediate] !== 1) this.fail(at, 'undeclared function reference');
        this.low = this.height;
        this.push(this.module.references.toFunction(this.module.functionTypes[this.immediate]!));
        return true;
      }
      case OP.brOnNull:
        this.#brOnNull();
        return true;
      case OP.brOnNonNull:
        this.#brOnNonNull();
        return true;
      default:
        return false;
    }
  }

  #null(): ValueType {
    const { references, types } = this.module;
    const type = references.readHeap(this, types.length, true);
    if (references.top(type) === EXNREF) this.hasExceptions = true;
    return type;
  }

  /** Any reference. */
  #popReference(): ValueType {
    const found = this.pop(UNKNOWN);
    if (found !== UNKNOWN && isNumeric(found)) this.fail(this.start, 'type mismatch: a reference is wanted');
    return found;
  }

  /** A branch with the operands below if the reference is null, and on without null. */
  #brOnNull(): void {
    this.immediate = this.labelIndex();
    const found = this.#popReference();
    const types = this.labelTypes(this.immediate);
    this.popAll(types);
    this.low = this.height;
    this.pushAll(types);
    this.push(this.module.references.nonNull(found));
  }

  /** A branch with the operands below and the reference if it is not null, and on without it. */
  #brOnNonNull(): void {
    this.immediate = this.labelIndex();
    const { references } = this.module;
    const types = this.labelTypes(this.immediate);
    const last = types.at(-1);
    if (last === undefined || isNumeric(last)) this.fail(this.start, 'type mismatch: the label takes no reference');
    this.pop(references.type(references.heap(last), true));
    const rest = types.subarray(0, -1);
    this.popAll(rest);
    this.low = this.height;
    this.pushAll(rest);
  }
}
