/** The code of one function, written mostly by copying ranges of the original. */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { NotMovable } from './not-movable.ts';

/** A piece of the original that was copied: `size` bytes from `original` to `written` (offset in the new body). */
export interface CopiedRange {
  readonly written: number;
  readonly original: number;
  readonly size: number;
}

/** A moment to which {@link CodeCopier.goBack} can go back. */
export interface Written {
  readonly code: number;
  readonly hints: number;
}

export class CodeCopier {
  protected readonly module: Module;
  protected readonly walker: FunctionWalker;
  /** The code of the function without its locals. */
  readonly out: WasmWriter = new WasmWriter(4096);
  /** Offsets in `out` of the `if` of each poll. */
  readonly hints: number[] = [];
  /** Offsets in `out` of calls that are worth inlining. */
  readonly inlined: number[] = [];
  /** Where copied code came from, if {@link recordCopies} was called. */
  copies: CopiedRange[] | null = null;
  /** Bytes of the original from here on are not written yet. */
  protected copyFrom = 0;

  constructor(module: Module) {
    this.module = module;
    this.walker = new FunctionWalker(module);
  }

  /** Keeps {@link copies} from now on, for mapping positions back to the original. */
  recordCopies(): void {
    this.copies = [];
  }

  protected enter(index: number): void {
    this.walker.enter(index);
    this.out.length = 0;
    this.hints.length = 0;
    this.inlined.length = 0;
    if (this.copies !== null) this.copies = [];
    this.copyFrom = this.walker.pos;
  }

  /** @param why what of the function is too much */
  protected tooLarge(why: string): never {
    throw new NotMovable(`function ${this.walker.functionIndex} is too large to be made movable: ${why}`);
  }

  protected written(): Written {
    return { code: this.out.length, hints: this.hints.length };
  }

  /** Takes back what was written since. */
  protected goBack({ code, hints }: Written): void {
    this.out.length = code;
    this.hints.length = hints;
    while ((this.inlined.at(-1) ?? -1) >= code) this.inlined.pop();
    while ((this.copies?.at(-1)?.written ?? -1) >= code) this.copies!.pop();
  }

  /** Copies the original up to `to`. What is written next, if anything, stands for the instruction there. */
  protected copy(to: number): void {
    if (to > this.copyFrom) {
      this.copies?.push({ written: this.out.length, original: this.copyFrom, size: to - this.copyFrom });
      this.out.copy(this.module.bytes, this.copyFrom, to);
    } else {
      // Something was written for the instruction before as well: the two have to be told apart.
      this.copies?.push({ written: this.out.length, original: to, size: 0 });
    }
    this.copyFrom = to;
  }

  /** Passes over the instruction that the walker has just stepped over: something else was written for it. */
  protected replaced(): void {
    this.copyFrom = this.walker.pos;
  }

  /** A call that is worth inlining. */
  protected callCopy(copy: number): void {
    this.inlined.push(this.out.length);
    this.out.u8(OP.call);
    this.out.u32(copy);
  }

  protected constant(value: number): void {
    this.out.u8(OP.i32Const);
    this.out.s32(value);
  }

  protected local(opcode: number, local: number): void {
    this.out.u8(opcode);
    this.out.u32(local);
  }

  protected readLocal(local: number): void {
    this.local(OP.localGet, local);
  }
}
