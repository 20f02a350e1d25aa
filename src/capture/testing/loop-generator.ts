/**
 * A loop that calls small functions of a generated module (generator.ts) in each of its rounds, directly and through
 * the table, where which one it is depends on the round: what a continuation notes, guesses and has copies of.
 */
import { OP } from '../../wasm/opcodes.ts';
import { I32 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import type { Choices } from './choices.ts';
import { writeConstant } from './reference-code.ts';
import type { Signature, Surroundings } from './surroundings.ts';

export const ROUNDS = 24;
/** The functions that a round calls come to their ends by it. */
const ROUND_FUEL = 12;
const ROUND = 0;
const SUM = 1;
const REM_U = 0x70;
const LESS_U = 0x49;

export class LoopGenerator {
  static readonly locals: readonly ValueType[] = [I32, I32];
  readonly #c: Choices;
  readonly #m: Surroundings;
  readonly #callees: readonly Signature[];
  readonly #a = new Assembler();

  /** @param callees those of one type stand together, in the table too */
  constructor(choices: Choices, module: Surroundings, callees: readonly Signature[]) {
    this.#c = choices;
    this.#m = module;
    this.#callees = callees;
  }

  /** Leaves what the rounds have made of the results of all calls. */
  code(): Uint8Array {
    const a = this.#a;
    // An operand below the loop.
    a.constant(3).raw(OP.loop, 0x40);
    a.constant(ROUND_FUEL).op(OP.globalSet, this.#m.fuel);
    for (let calls = 2 + this.#c.below(4); calls > 0; calls--) this.#call(this.#c.pick(this.#callees));
    // At least one safepoint a round: the first import.
    a.get(SUM).op(OP.call, this.#m.functions[0]!.index);
    this.#mix();
    a.get(ROUND).constant(1).op(OP.i32Add).op(OP.localTee, ROUND).constant(ROUNDS).op(LESS_U).op(OP.brIf, 0);
    a.op(OP.end).get(SUM).op(OP.i32Add);
    return a.done();
  }

  #call(callee: Signature): void {
    const a = this.#a;
    for (const type of callee.params) {
      if (type === I32 && this.#c.below(3) > 0) a.get(ROUND);
      else writeConstant(a, this.#m, type, this.#c.below(9));
    }
    if (this.#c.below(3) > 0) {
      this.#place(callee);
      a.op(OP.callIndirect, this.#m.type(callee.params, callee.results), this.#m.table);
    } else a.op(OP.call, callee.index);
    for (const type of callee.results.toReversed()) {
      if (type === I32) this.#mix();
      else a.op(OP.drop);
    }
  }

  /** Of one of the functions of this one's type, another in each round; seldom of no function at all in the end. */
  #place(callee: Signature): void {
    const a = this.#a;
    const { functions, tableSize } = this.#m;
    const alike = this.#callees.filter((other) => this.#key(other) === this.#key(callee));
    a.get(ROUND)
      .constant(alike.length)
      .op(REM_U)
      .constant(functions.indexOf(alike[0]!) + 1)
      .op(OP.i32Add);
    if (this.#c.below(12) < 11) return;
    a.constant(tableSize + 64)
      .get(ROUND)
      .constant(ROUNDS - 2)
      .op(LESS_U)
      .op(OP.select);
  }

  #key({ params, results }: Signature): number {
    return this.#m.type(params, results);
  }

  /** The I32 on the stack goes into the sum. */
  #mix(): void {
    this.#a.get(SUM).constant(31).op(OP.i32Mul).op(OP.i32Add).op(OP.localSet, SUM);
  }
}
