/** Random code for one function of a generated module (generator.ts). */
import { OP, PREFIX_FD } from '../../wasm/opcodes.ts';
import { EXNREF, FUNCREF, I32, I64, UNKNOWN } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import type { Choices } from './choices.ts';
import { writeThrow, writeTry } from './exception-code.ts';
import { pickMemory, writeAddress, writeAddressed, writeAtomic, writeBulk } from './memory-code.ts';
import { writeConstant, writeReference } from './reference-code.ts';
import type { Signature, Surroundings } from './surroundings.ts';
import type { Label, Writing } from './writing.ts';
import { forward, labelTypes } from './writing.ts';
import { ATOMIC_ACCESSES, OPERATIONS } from './operations.ts';

const MAX_DEPTH = 6;

export class FunctionGenerator {
  readonly #c: Choices;
  readonly #m: Surroundings;
  readonly #signature: Signature;
  readonly #locals: readonly ValueType[];
  readonly #a = new Assembler();
  /** The innermost one last; the function's own first. */
  readonly #labels: Label[] = [];

  constructor(choices: Choices, module: Surroundings, signature: Signature, locals: readonly ValueType[]) {
    this.#c = choices;
    this.#m = module;
    this.#signature = signature;
    this.#locals = locals;
  }

  code(): Uint8Array {
    const a = this.#a;
    this.#burn();
    a.raw(OP.if, 0x40);
    for (const type of this.#signature.results) writeConstant(a, this.#m, type, 1);
    a.op(OP.return).op(OP.end);
    this.#labels.push({ types: this.#signature.results, loop: false });
    this.#setLocals();
    this.#statements(0);
    for (const type of this.#signature.results) this.#value(type, 1);
    return a.done();
  }

  /** Here, at this depth, for code of one kind. */
  #writing(depth: number): Writing {
    return {
      code: this.#a,
      choices: this.#c,
      module: this.#m,
      labels: this.#labels,
      value: (type) => this.#value(type, depth + 1),
      inside: (params, results) => this.#inside(params, results, depth),
    };
  }

  /** Locals without null need a value before they are read. */
  #setLocals(): void {
    this.#locals.forEach((type, local) => {
      if (local < this.#signature.params.length || type !== this.#m.referred.exact) return;
      writeConstant(this.#a, this.#m, type, 0);
      this.#a.op(OP.localSet, local);
    });
  }

  /** Uses up fuel; leaves 1 if there is none any more. */
  #burn(): void {
    const { fuel } = this.#m;
    const a = this.#a.op(OP.globalGet, fuel).constant(1).op(OP.i32Sub).op(OP.globalSet, fuel).op(OP.globalGet, fuel);
    a.constant(0).op(0x48);
  }

  #statements(depth: number): void {
    for (let n = this.#c.below(4); n > 0 && !this.#c.exhausted; n--) this.#statement(depth);
  }

  #statement(depth: number): void {
    const a = this.#a;
    const c = this.#c;
    const kinds: readonly (() => void)[] = [
      () => {
        if (this.#locals.length === 0) return;
        const local = c.below(this.#locals.length);
        this.#value(this.#locals[local]!, depth + 1);
        a.op(OP.localSet, local);
      },
      () => {
        const global = c.pick(this.#m.globals);
        this.#value(global.type, depth + 1);
        a.op(OP.globalSet, global.index);
      },
      () => {
        const at = this.#writing(depth + 1);
        const memory = pickMemory(at);
        writeAddress(at, memory);
        this.#value(I64, depth + 1);
        a.store(I64, memory, c.below(100));
      },
      () => this.#callAndDrop(depth),
      () => this.#dropBlock(depth),
      () => this.#branchIf(depth),
      () => this.#tableChange(depth),
      () => this.#branchTable(depth),
      () => writeBulk(this.#writing(depth + 1)),
      () => this.#branchAway(depth),
      () => this.#atomic(UNKNOWN, depth),
      ...(this.#m.exceptions === 'none' ? [] : [() => this.#throwIf(depth), () => this.#guarded(depth)]),
    ];
    c.pick(kinds)();
  }

  #place(index: number): Assembler {
    return writeAddressed(this.#a, this.#m.wideTable, index);
  }

  #atomic(type: ValueType, depth: number): void {
    writeAtomic(this.#writing(depth + 1), type, () => this.#leaf(type));
  }

  #callAndDrop(depth: number): void {
    for (const _ of this.#call(depth)) this.#a.op(OP.drop);
  }

  /** @returns the types left on the stack */
  #call(depth: number): readonly ValueType[] {
    const callee = this.#c.pick(this.#m.functions);
    for (const type of callee.params) this.#value(type, depth + 1);
    if (this.#c.below(3) === 2) {
      this.#place(this.#m.functions.indexOf(callee) + 1 + (this.#c.below(12) === 11 ? 1 : 0));
      this.#a.op(OP.callIndirect, this.#m.type(callee.params, callee.results), this.#m.table);
    } else this.#a.op(OP.call, callee.index);
    return callee.results;
  }

  #tailCall(depth: number): void {
    const { functions, table } = this.#m;
    const wanted = this.#signature.results.join();
    const alike = functions.filter(({ results }) => results.join() === wanted);
    if (alike.length === 0) {
      this.#a.op(OP.unreachable);
      return;
    }
    const callee = this.#c.pick(alike);
    for (const type of callee.params) this.#value(type, depth + 1);
    const signature = this.#m.type(callee.params, callee.results);
    if (signature === this.#m.referred.type && this.#c.below(2) === 1) {
      this.#value(this.#m.referred.exact, depth + 1);
      this.#a.op(OP.returnCallRef, signature);
    } else if (this.#c.below(3) === 2) {
      this.#place(functions.indexOf(callee) + 1);
      this.#a.op(OP.returnCallIndirect, signature, table);
    } else this.#a.op(OP.returnCall, callee.index);
  }

  #dropBlock(depth: number): void {
    const types = this.#c.types(2, this.#m.types);
    this.#block(types, depth + 1);
    for (const _ of types) this.#a.op(OP.drop);
  }

  /** A construct that leaves these types: block, if or loop, with or without parameters. */
  #block(results: readonly ValueType[], depth: number): void {
    const c = this.#c;
    const a = this.#a;
    const params = c.types(2, this.#m.types);
    for (const type of params) this.#value(type, depth + 1);
    const kind = c.below(this.#m.exceptions === 'none' ? 3 : 4);
    if (kind === 3) {
      writeTry(this.#writing(depth), params, results);
      return;
    }
    if (kind === 1) this.#value(I32, depth + 1);
    a.op([OP.block, OP.if, OP.loop][kind]!, this.#m.type(params, results));
    this.#labels.push({ types: kind === 2 ? params : results, loop: kind === 2 });
    this.#inside(params, results, depth);
    if (kind === 2 && c.below(2) === 1) this.#again(params, results, depth);
    if (kind === 1) {
      a.op(OP.else);
      this.#inside(params, results, depth);
    }
    this.#labels.pop();
    a.op(OP.end);
  }

  #throwIf(depth: number): void {
    this.#value(I32, depth + 1);
    this.#a.raw(OP.if, 0x40);
    this.#labels.push({ types: [], loop: false });
    writeThrow(this.#writing(depth));
    this.#labels.pop();
    this.#a.op(OP.end);
  }

  /** Statements whose exceptions are caught. */
  #guarded(depth: number): void {
    if (depth < MAX_DEPTH) writeTry(this.#writing(depth + 1), [], []);
  }

  /** The parameters are on the stack; sometimes they stay there for a while. */
  #inside(params: readonly ValueType[], results: readonly ValueType[], depth: number): void {
    const early = this.#c.below(2) === 0;
    const drop = (): void => {
      for (const type of [...params].toReversed()) {
        const local = this.#locals.indexOf(type);
        if (local >= 0) this.#a.op(OP.localSet, local);
        else this.#a.op(OP.drop);
      }
    };
    if (early) drop();
    this.#statements(depth);
    if (!early) drop();
    for (const type of results) this.#value(type, depth + 1);
  }

  /** Goes round the loop again while there is fuel. The results are on the stack. */
  #again(params: readonly ValueType[], results: readonly ValueType[], depth: number): void {
    const a = this.#a;
    for (const _ of results) a.op(OP.drop);
    for (const type of params) this.#value(type, depth + 1);
    this.#burn();
    a.op(OP.i32Eqz).op(OP.brIf, 0);
    for (const _ of params) a.op(OP.drop);
    for (const type of results) this.#value(type, depth + 1);
  }

  #branchIf(depth: number): void {
    const label = this.#c.pick(forward(this.#labels));
    const types = labelTypes(this.#labels, label);
    for (const type of types) this.#value(type, depth + 1);
    this.#value(I32, depth + 1);
    this.#a.op(OP.brIf, label);
    for (const _ of types) this.#a.op(OP.drop);
  }

  /** An unconditional branch inside an arm, and dead code behind it. */
  #branchAway(depth: number): void {
    const a = this.#a;
    this.#value(I32, depth + 1);
    a.raw(OP.if, 0x40);
    this.#labels.push({ types: [], loop: false });
    const label = this.#c.pick(forward(this.#labels));
    const kind = this.#c.below(4);
    if (kind === 3) this.#tailCall(depth);
    else if (kind === 2 && this.#m.exceptions !== 'none') writeThrow(this.#writing(depth));
    else {
      for (const type of labelTypes(this.#labels, label)) this.#value(type, depth + 1);
      if (this.#c.below(8) === 7) a.op(OP.unreachable);
      else a.op(OP.br, label);
    }
    this.#statements(MAX_DEPTH);
    this.#labels.pop();
    a.op(OP.end);
  }

  #branchTable(depth: number): void {
    const a = this.#a;
    a.raw(OP.block, 0x40);
    this.#labels.push({ types: [], loop: false });
    const empty = forward(this.#labels).filter((label) => labelTypes(this.#labels, label).length === 0);
    const targets = Array.from({ length: 1 + this.#c.below(4) }, () => this.#c.pick(empty));
    this.#statements(depth + 1);
    this.#value(I32, depth + 1);
    a.op(OP.brTable, targets.length, ...targets, this.#c.pick(empty));
    this.#labels.pop();
    a.op(OP.end);
  }

  #tableChange(depth: number): void {
    const { table, tableSize, changesTable } = this.#m;
    const a = this.#a;
    if (!changesTable) return;
    if (this.#c.below(4) === 3) {
      this.#value(FUNCREF, depth + 1);
      this.#place(1).op(OP.tableGrow, table).op(OP.drop);
      return;
    }
    this.#place(this.#c.below(tableSize));
    this.#value(FUNCREF, depth + 1);
    a.op(OP.tableSet, table);
  }

  /** Code that leaves one value. */
  #value(type: ValueType, depth: number): void {
    const c = this.#c;
    const a = this.#a;
    if (depth >= MAX_DEPTH || c.exhausted) {
      this.#leaf(type);
      return;
    }
    const kinds: readonly (() => void)[] = [
      () => this.#leaf(type),
      () => this.#operation(type, depth),
      () => this.#operation(type, depth),
      () => this.#block([type], depth),
      () => this.#callFor(type, depth),
      () => this.#callFor(type, depth),
      () => {
        const local = this.#locals.indexOf(type);
        this.#value(type, depth + 1);
        if (local >= 0) a.op(OP.localTee, local);
      },
      () => {
        this.#value(type, depth + 1);
        this.#value(type, depth + 1);
        this.#value(I32, depth + 1);
        a.op(OP.selectTyped, 1);
        this.#m.references.write(a, type);
      },
    ];
    c.pick(kinds)();
  }

  #leaf(type: ValueType): void {
    const a = this.#a;
    const kind = this.#c.below(3);
    const locals = this.#locals.flatMap((local, i) => (local === type ? [i] : []));
    if (kind === 1 && locals.length > 0) a.get(this.#c.pick(locals));
    else if (kind === 2) a.op(OP.globalGet, this.#m.globals.find((global) => global.type === type)!.index);
    else if (type === FUNCREF && this.#c.below(2) === 1) a.op(OP.refFunc, this.#c.pick(this.#m.functions).index);
    else writeConstant(a, this.#m, type, this.#c.below(9));
  }

  #operation(type: ValueType, depth: number): void {
    const a = this.#a;
    if (type === FUNCREF) {
      this.#place(this.#c.below(this.#m.tableSize)).op(OP.tableGet, this.#m.table);
      return;
    }
    const { referred } = this.#m;
    if (type === referred.exact || type === referred.orNull) {
      writeReference(this.#writing(depth), type);
      return;
    }
    if (type === I32 && this.#c.below(8) === 7) {
      this.#value(I32, depth + 1);
      this.#value(referred.exact, depth + 1);
      a.op(OP.callRef, referred.type);
      return;
    }
    if (type === I64 && this.#c.below(3) === 2) {
      const at = this.#writing(depth + 1);
      const memory = pickMemory(at);
      writeAddress(at, memory);
      a.load(I64, memory, 300);
      return;
    }
    if (type === EXNREF) {
      this.#leaf(type);
      return;
    }
    if (ATOMIC_ACCESSES.has(type) && this.#c.below(5) === 4) {
      this.#atomic(type, depth);
      return;
    }
    const [opcode, operands] = this.#c.pick(OPERATIONS.get(type)!);
    for (const operand of operands) this.#value(operand, depth + 1);
    a.op(opcode);
    if (opcode === PREFIX_FD + 27) a.u8(2);
  }

  /** A call whose results are dropped, but for the last one if it fits. */
  #callFor(type: ValueType, depth: number): void {
    const results = this.#call(depth);
    if (results.at(-1) === type && results.length === 1) return;
    for (const _ of results) this.#a.op(OP.drop);
    this.#value(type, depth + 1);
  }
}
