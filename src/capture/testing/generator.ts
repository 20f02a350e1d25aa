/**
 * Random valid modules from a list of choices: every construct that the rewriter treats specially, nested at random,
 * with operands left on the stack around them. Choice 0 is always the simplest, and an exhausted list yields 0, so a
 * failing case shrinks with its list. Loops and calls use up a counter, so every program ends.
 */
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { OP, PREFIX_FD } from '../../wasm/opcodes.ts';
import { F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { Assembler } from '../assembler.ts';
import { Choices } from './choices.ts';
import { OPERATIONS } from './operations.ts';

const NUMBERS = [I32, I64, F32, F64];
const TYPES = [I32, I64, F64, F32, V128, FUNCREF];
const FUEL = 60;
const MAX_DEPTH = 6;
const MEMORY_MASK = 0xfff0;

interface Signature {
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface Label {
  readonly types: readonly ValueType[];
  readonly loop: boolean;
}

/** The names of what every generated module has: exports `run` (no parameters) and `memory`, imports of `env`. */
export const GENERATED_IMPORTS: readonly string[] = ['tick', 'mix', 'pair'];

export function generateModule(bytes: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return new Generator(new Choices(bytes)).module();
}

class Generator {
  readonly #choices: Choices;
  readonly #b = new ModuleBuilder();
  readonly #functions: Signature[] = [];
  /** Imported and defined functions that can be called. */
  #globals: { readonly index: number; readonly type: ValueType }[] = [];
  #fuel = 0;
  #table = 0;
  #tableSize = 0;
  #memories = 1;

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  module(): Uint8Array<ArrayBuffer> {
    const b = this.#b;
    const imported: readonly (readonly [string, ValueType[], ValueType[]])[] = [
      ['tick', [I32], [I32]],
      ['mix', [F64, I64], [F32]],
      ['pair', [I32], [I64, F64]],
    ];
    for (const [name, params, results] of imported) {
      this.#functions.push({ index: b.importFunction('env', name, params, results), params, results });
    }
    this.#memories = 1 + this.#choices.below(2);
    for (let i = 0; i < this.#memories; i++) {
      b.memories.push({ minimum: 1, maximum: 2 });
      b.export(i === 0 ? 'memory' : `memory${i}`, 'memory', i);
    }
    const main: Signature = { index: b.nextFunction, params: [], results: this.#choices.types(3, NUMBERS) };
    const count = 1 + this.#choices.below(4);
    const defined = [main];
    for (let i = 1; i < count; i++) {
      defined.push({
        index: main.index + i,
        params: this.#choices.types(3, TYPES),
        results: this.#choices.types(3, TYPES),
      });
    }
    this.#functions.push(...defined);
    this.#fuel = b.global(I32, true, new Assembler().constant(FUEL).done());
    this.#globals = TYPES.map((type) => ({ index: b.global(type, true, constantOf(type, 7)), type }));
    this.#tableSize = this.#functions.length + 2;
    this.#table = b.table(this.#tableSize);
    b.elements(
      this.#functions.map(({ index }) => index),
      1,
    );
    b.data(
      Uint8Array.from({ length: 64 }, (_, i) => i * 3),
      256,
      this.#memories - 1,
    );
    b.data(
      Uint8Array.from({ length: 32 }, (_, i) => 255 - i),
      'passive',
    );
    b.export('run', 'function', main.index);
    for (const signature of defined) {
      const locals = this.#choices.types(4, TYPES);
      const body = new FunctionGenerator(this.#choices, this, signature, [...signature.params, ...locals]);
      b.define(signature.params, signature.results, locals, body.code());
    }
    return b.build();
  }

  get functions(): readonly Signature[] {
    return this.#functions;
  }

  get globals(): readonly { readonly index: number; readonly type: ValueType }[] {
    return this.#globals;
  }

  get fuel(): number {
    return this.#fuel;
  }

  get table(): number {
    return this.#table;
  }

  get memories(): number {
    return this.#memories;
  }

  get tableSize(): number {
    return this.#tableSize;
  }

  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    return this.#b.type(params, results);
  }
}

function constantOf(type: ValueType, value: number): Uint8Array {
  const a = new Assembler();
  if (type === I32) a.constant(value);
  else if (type === I64) {
    a.u8(OP.i64Const);
    a.s64(BigInt(value) * 0x1_0000_0001n);
  } else if (type === F32) {
    a.u8(OP.f32Const);
    a.copy(new Uint8Array(Float32Array.of(value / 2).buffer));
  } else if (type === F64) {
    a.u8(OP.f64Const);
    a.copy(new Uint8Array(Float64Array.of(value / 4).buffer));
  } else if (type === V128) {
    a.op(OP.v128Const);
    a.copy(Uint8Array.from({ length: 16 }, (_, i) => value + i));
  } else a.op(OP.refNull, type);
  return a.done();
}

class FunctionGenerator {
  readonly #c: Choices;
  readonly #m: Generator;
  readonly #signature: Signature;
  readonly #locals: readonly ValueType[];
  readonly #a = new Assembler();
  /** The innermost one last; the function's own first. */
  readonly #labels: Label[] = [];

  constructor(choices: Choices, module: Generator, signature: Signature, locals: readonly ValueType[]) {
    this.#c = choices;
    this.#m = module;
    this.#signature = signature;
    this.#locals = locals;
  }

  code(): Uint8Array {
    const a = this.#a;
    this.#burn();
    a.raw(OP.if, 0x40);
    for (const type of this.#signature.results) a.copy(constantOf(type, 1));
    a.op(OP.return).op(OP.end);
    this.#labels.push({ types: this.#signature.results, loop: false });
    this.#statements(0);
    for (const type of this.#signature.results) this.#value(type, 1);
    return a.done();
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
        this.#address(depth);
        this.#value(I64, depth + 1);
        a.store(I64, this.#memory(), c.below(100));
      },
      () => this.#callAndDrop(depth),
      () => this.#dropBlock(depth),
      () => this.#branchIf(depth),
      () => this.#tableChange(depth),
      () => this.#branchTable(depth),
      () => this.#bulk(depth),
      () => this.#branchAway(depth),
    ];
    c.pick(kinds)();
  }

  #memory(): number {
    return this.#c.below(this.#m.memories);
  }

  #address(depth: number): void {
    this.#value(I32, depth + 2);
    this.#a.constant(MEMORY_MASK).op(OP.i32And);
  }

  #callAndDrop(depth: number): void {
    for (const _ of this.#call(depth)) this.#a.op(OP.drop);
  }

  /** @returns the types left on the stack */
  #call(depth: number): readonly ValueType[] {
    const callee = this.#c.pick(this.#m.functions);
    for (const type of callee.params) this.#value(type, depth + 1);
    if (this.#c.below(3) === 2) {
      this.#a.constant(this.#m.functions.indexOf(callee) + 1 + (this.#c.below(12) === 11 ? 1 : 0));
      this.#a.op(OP.callIndirect, this.#m.type(callee.params, callee.results), this.#m.table);
    } else this.#a.op(OP.call, callee.index);
    return callee.results;
  }

  #tailCall(depth: number): void {
    const { functions, table } = this.#m;
    const wanted = this.#signature.results.join();
    const callee = this.#c.pick(functions.filter(({ results }) => results.join() === wanted));
    for (const type of callee.params) this.#value(type, depth + 1);
    if (this.#c.below(3) === 2) {
      this.#a.constant(functions.indexOf(callee) + 1);
      this.#a.op(OP.returnCallIndirect, this.#m.type(callee.params, callee.results), table);
    } else this.#a.op(OP.returnCall, callee.index);
  }

  #dropBlock(depth: number): void {
    const types = this.#c.types(2, TYPES);
    this.#block(types, depth + 1);
    for (const _ of types) this.#a.op(OP.drop);
  }

  /** A construct that leaves these types: block, if or loop, with or without parameters. */
  #block(results: readonly ValueType[], depth: number): void {
    const c = this.#c;
    const a = this.#a;
    const params = c.types(2, TYPES);
    for (const type of params) this.#value(type, depth + 1);
    const kind = c.below(3);
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

  /** Labels that may be branched to at will: those that are not loops. */
  #forward(): number[] {
    return this.#labels.flatMap(({ loop }, i) => (loop ? [] : [this.#labels.length - 1 - i])).toReversed();
  }

  #labelTypes(label: number): readonly ValueType[] {
    return this.#labels[this.#labels.length - 1 - label]!.types;
  }

  #branchIf(depth: number): void {
    const label = this.#c.pick(this.#forward());
    const types = this.#labelTypes(label);
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
    const label = this.#c.pick(this.#forward());
    if (this.#c.below(4) === 3) this.#tailCall(depth);
    else {
      for (const type of this.#labelTypes(label)) this.#value(type, depth + 1);
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
    const empty = this.#forward().filter((label) => this.#labelTypes(label).length === 0);
    const targets = Array.from({ length: 1 + this.#c.below(4) }, () => this.#c.pick(empty));
    this.#statements(depth + 1);
    this.#value(I32, depth + 1);
    a.op(OP.brTable, targets.length, ...targets, this.#c.pick(empty));
    this.#labels.pop();
    a.op(OP.end);
  }

  #tableChange(depth: number): void {
    const { table, tableSize } = this.#m;
    const a = this.#a;
    if (this.#c.below(4) === 3) {
      this.#value(FUNCREF, depth + 1);
      a.constant(1).op(OP.tableGrow, table).op(OP.drop);
      return;
    }
    a.constant(this.#c.below(tableSize));
    this.#value(FUNCREF, depth + 1);
    a.op(OP.tableSet, table);
  }

  #bulk(depth: number): void {
    const a = this.#a;
    const kind = this.#c.below(4);
    if (kind === 0) {
      this.#address(depth);
      a.constant(3).constant(5).op(OP.memoryInit, 1, this.#memory());
    } else if (kind === 1) a.op(OP.dataDrop, 1);
    else if (kind === 2) {
      this.#address(depth);
      this.#address(depth);
      a.constant(20).op(OP.memoryCopy, this.#memory(), this.#memory());
    } else a.constant(1).op(OP.memoryGrow, this.#memory()).op(OP.drop);
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
        a.op(OP.selectTyped, 1, type);
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
    else a.copy(constantOf(type, this.#c.below(9)));
  }

  #operation(type: ValueType, depth: number): void {
    const a = this.#a;
    if (type === FUNCREF) {
      a.constant(this.#c.below(this.#m.tableSize)).op(OP.tableGet, this.#m.table);
      return;
    }
    if (type === I64 && this.#c.below(3) === 2) {
      this.#address(depth);
      a.load(I64, this.#memory(), 300);
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
