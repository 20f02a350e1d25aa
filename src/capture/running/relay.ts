/**
 * What stands between two portions of a stack (portions.ts): the inner one is called by it, the innermost frame of the
 * outer one finds it in the place of the frame above. In WebAssembly, since JavaScript cannot hold every result: there
 * are no vectors, and it may change the bits of a NaN.
 */
import { writeModuleName } from '../../wasm/names.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { TypeList, ValueType } from '../../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { GODWIT } from '../layout/facts.ts';
import { SAVE_BASE } from '../layout/frame.ts';
import { type AnyFunction, exportedFunction } from './instance.ts';

/** The name in the stack entries of its functions. */
export const RELAY = `${GODWIT}.relay`;

/** What a global holds that holds no result yet. */
const NOTHING: ReadonlyMap<ValueType, (code: Assembler) => Assembler> = new Map([
  [I32, (code) => code.raw(OP.i32Const, 0)],
  [I64, (code) => code.raw(OP.i64Const, 0)],
  [F32, (code) => code.raw(OP.f32Const, 0, 0, 0, 0)],
  [F64, (code) => code.real(0)],
  [V128, (code) => code.op(OP.v128Const).raw(...new Uint8Array(16))],
  [FUNCREF, (code) => code.raw(OP.refNull, FUNCREF)],
  [EXTERNREF, (code) => code.raw(OP.refNull, EXTERNREF)],
  [EXNREF, (code) => code.raw(OP.refNull, EXNREF)],
]);

/** By the types of the results. */
const modules = new Map<string, WebAssembly.Module>();

export class Relay {
  /** Where it stands in the table of continuations. */
  readonly number: number;
  readonly #table: WebAssembly.Table;
  /** Calls the continuation of a number and keeps its results. */
  readonly #run: AnyFunction;
  /** Gives the results. */
  readonly #give: AnyFunction;
  /** Throws what the host keeps. */
  readonly #fail: AnyFunction;
  #error: unknown = null;

  /**
   * @param results of the continuations that it calls: the most general types of references
   * @param table of continuations
   * @param savePointer of the instance
   */
  constructor(results: TypeList, table: WebAssembly.Table, savePointer: WebAssembly.Global) {
    const key = results.join();
    let module = modules.get(key);
    if (module === undefined) {
      module = new WebAssembly.Module(moduleFor(results));
      modules.set(key, module);
    }
    const raise = (): never => {
      throw this.#error;
    };
    const instance = new WebAssembly.Instance(module, { [GODWIT]: { table, savePointer, raise } });
    this.#run = exportedFunction(instance, 'run');
    this.#give = exportedFunction(instance, 'give');
    this.#fail = exportedFunction(instance, 'fail');
    this.#table = table;
    this.number = table.grow(1);
  }

  /**
   * Runs a continuation to its end. Whoever calls {@link number} next gets its results, or the exception that it threw.
   * @param passes what is thrown here instead
   */
  carry(continuation: number, passes: (error: unknown) => boolean): void {
    let end = this.#give;
    try {
      this.#run(continuation);
    } catch (error) {
      if (passes(error)) throw error;
      // A trap stays one: V8 marks its errors as nothing that code can catch.
      this.#error = error;
      end = this.#fail;
    }
    this.#table.set(this.number, end);
  }
}

function moduleFor(results: TypeList): Uint8Array<ArrayBuffer> {
  const [GIVEN, NONE, NUMBER] = [0, 1, 2];
  const [RAISE, RUN, GIVE, FAIL] = [0, 1, 2, 3];
  const first = 1;
  const out = new WasmWriter(512);
  const section = (id: number, write: (s: WasmWriter) => void): void => {
    const content = new WasmWriter(128);
    write(content);
    out.section(id, content);
  };
  out.copy(PREAMBLE);
  section(1, (s) => {
    s.raw(3, 0x60, 0);
    s.types(results);
    s.raw(0x60, 0, 0, 0x60, 1, I32, 0);
  });
  section(2, (s) => {
    s.u8(3);
    for (const [name, ...type] of [
      ['table', 1, FUNCREF, 0, 0],
      ['savePointer', 3, I32, 1],
      ['raise', 0, NONE],
    ] as const) {
      s.name(GODWIT);
      s.name(name);
      s.raw(...type);
    }
  });
  section(3, (s) => s.raw(3, NUMBER, GIVEN, GIVEN));
  section(6, (s) => {
    s.u32(results.length);
    for (const type of results) {
      s.raw(type, 1);
      const code = NOTHING.get(type)!(new Assembler(24)).op(OP.end);
      s.copy(code.bytes, 0, code.length);
    }
  });
  section(7, (s) => {
    s.u8(3);
    for (const [name, index] of [
      ['run', RUN],
      ['give', GIVE],
      ['fail', FAIL],
    ] as const) {
      s.name(name);
      s.raw(0, index);
    }
  });
  const run = new Assembler(64).get(0).op(OP.callIndirect, GIVEN, 0);
  const give = new Assembler(64);
  writeTaken(give);
  for (let i = 0; i < results.length; i++) {
    run.op(OP.globalSet, first + results.length - 1 - i);
    give.op(OP.globalGet, first + i);
  }
  const fail = writeTaken(new Assembler(16)).op(OP.call, RAISE).op(OP.unreachable);
  section(10, (s) => {
    s.u8(3);
    for (const code of [run, give, fail]) {
      const body = code.body();
      s.u32(body.length);
      s.copy(body);
    }
  });
  writeModuleName(out, RELAY);
  return out.done();
}

/** It stands for a frame whose record is a trailer alone, the first one in the save area. */
function writeTaken(code: Assembler): Assembler {
  return code.constant(SAVE_BASE).op(OP.globalSet, 0);
}
