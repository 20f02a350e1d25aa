/** Code that has locals of its own behind those of the function, mostly to keep operands in. */
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../../base/limits.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, UNKNOWN } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { CodeCopier } from './copier.ts';

/** The key of an added local in a plan's `spills` and its like. */
export function addedKey(position: number, type: ValueType): number {
  return position * 256 + type;
}

export class SpillingCopier extends CodeCopier {
  /** The height up to which the operands are in their spill locals. */
  protected watermark = 0;
  /** Number of the function's own locals, and what was added behind them: the pc first. */
  protected ownLocals = 0;
  protected extraLocals: ValueType[] = [];
  /** By position on the operand stack and type, see {@link added}. */
  protected spills = new Map<number, number>();
  protected temporaries = new Map<number, number>();

  protected override enter(index: number): void {
    super.enter(index);
    this.watermark = 0;
    this.ownLocals = this.walker.localCount;
    this.extraLocals = [I32];
    this.spills = new Map();
    this.temporaries = new Map();
  }

  /** Types of all locals as a continuation has them, the function's own and the added ones: none is without null. */
  localTypes(): ValueType[] {
    const { references } = this.module;
    const own = Array.from(this.walker.locals.subarray(0, this.ownLocals), (type) => references.nullable(type));
    return [...own, ...this.extraLocals];
  }

  /** Before the instruction just passed: puts the operands between `watermark` and its arguments into their spill locals. */
  protected spill(args: ArrayLike<ValueType>): void {
    this.copy(this.walker.start);
    this.spillHere(this.walker.low, args);
  }

  /** Reads an added local that stands for an operand: locals can be null where operands cannot. */
  protected readOperand(local: number, type: ValueType): void {
    this.readLocal(local);
    if (!this.module.references.isDefaultable(type)) this.out.u8(OP.refAsNonNull);
  }

  /** The operands from `watermark` to `top` go into spill locals and, like the `args` above them, back onto the stack. */
  protected spillHere(top: number, args: ArrayLike<ValueType>): void {
    const { walker, watermark } = this;
    for (let i = args.length - 1; i >= 0; i--) this.local(OP.localSet, this.added(this.temporaries, i, args[i]!));
    for (let at = top - 1; at > watermark; at--) this.local(OP.localSet, this.spillLocal(at, walker.operands[at]!));
    this.#teeOperand(watermark, walker.operands[watermark]!);
    for (let at = watermark + 1; at < top; at++) this.readSpilled(at, walker.operands[at]!);
    for (let i = 0; i < args.length; i++) this.readOperand(this.added(this.temporaries, i, args[i]!), args[i]!);
    this.watermark = top;
  }

  #teeOperand(position: number, type: ValueType): void {
    this.local(OP.localTee, this.spillLocal(position, type));
    if (!this.module.references.isDefaultable(type)) this.out.u8(OP.refAsNonNull);
  }

  /** Puts the operand that was at a position back onto the stack. */
  protected readSpilled(position: number, type: ValueType): void {
    this.readOperand(this.spillLocal(position, type), type);
  }

  protected spillLocal(position: number, type: ValueType): number {
    assert(type !== UNKNOWN, 'operands of reachable code have a type');
    return this.added(this.spills, position, type);
  }

  /**
   * The added local that `locals` has for this position and type, which can be null; a new one if it has none.
   * @throws NotMovable if the function had more than V8 takes, at once: few bytes of code can have millions of operands
   */
  protected added(locals: Map<number, number>, position: number, operand: ValueType): number {
    const type = this.module.references.nullable(operand);
    const key = addedKey(position, type);
    const found = locals.get(key);
    if (found !== undefined) return found;
    const local = this.ownLocals + this.extraLocals.length;
    if (local >= LIMITS.functionLocals) this.tooLarge(`more than ${LIMITS.functionLocals} locals`);
    this.extraLocals.push(type);
    locals.set(key, local);
    return local;
  }
}
