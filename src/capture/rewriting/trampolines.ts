/**
 * Functions of the host in a form that can stand in a table: WebAssembly functions that call them. The machine puts
 * them into the appended table `host`, since an import would shift the numbers of all functions.
 */
import { writeModuleName } from '../../wasm/names.ts';
import { OP } from '../../wasm/opcodes.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { GODWIT } from '../layout/facts.ts';
import { HOST_FUNCTIONS, hostType } from '../analysis/wait-uses.ts';
import type { HostFunction } from '../analysis/wait-uses.ts';

const MODULE = 'host';

/** The name in the stack entries of these functions. */
export const TRAMPOLINES = `${GODWIT}.${MODULE}`;

type Section = readonly [id: number, count: number, write: (s: WasmWriter) => void];

function compiled(sections: readonly Section[]): WebAssembly.Module {
  const out = new WasmWriter(256);
  out.copy(PREAMBLE);
  for (const [id, count, write] of sections) {
    const content = new WasmWriter(64);
    content.u32(count);
    write(content);
    out.section(id, content);
  }
  writeModuleName(out, TRAMPOLINES);
  return new WebAssembly.Module(out.done());
}

function writeTypes(s: WasmWriter, names: readonly HostFunction[]): void {
  for (const name of names) {
    const { params, results } = hostType(name);
    s.u8(0x60);
    s.types(params);
    s.types(results);
  }
}

function writeExports(s: WasmWriter, names: readonly HostFunction[]): void {
  names.forEach((name, index) => {
    s.name(name);
    s.raw(0, index);
  });
}

/** A module that exports functions that it imports. */
function trampolines(names: readonly HostFunction[]): WebAssembly.Module {
  return compiled([
    [1, names.length, (s) => writeTypes(s, names)],
    [
      2,
      names.length,
      (s) =>
        names.forEach((name, type) => {
          s.name(MODULE);
          s.name(name);
          s.raw(0, type);
        }),
    ],
    [7, names.length, (s) => writeExports(s, names)],
  ]);
}

/**
 * A wait on a memory that is not shared: only code can raise the trap for it, since an error of the host is something
 * that a program can catch.
 */
function forbiddenWait(): WebAssembly.Module {
  const wait = new Assembler().constant(0).constant(0).op(OP.i64Const, 0).op(OP.atomicWait32, 2, 0).op(OP.drop).body();
  return compiled([
    [1, 1, (s) => writeTypes(s, ['forbiddenWait'])],
    [3, 1, (s) => s.u8(0)],
    [5, 1, (s) => s.raw(0, 1)],
    [7, 1, (s) => writeExports(s, ['forbiddenWait'])],
    [
      10,
      1,
      (s) => {
        s.u32(wait.length);
        s.copy(wait);
      },
    ],
  ]);
}

/** By the names of their functions. */
const modules = new Map<string, WebAssembly.Module>();

/** Puts functions of the host into their places in the table `host`. */
export function placeHostFunctions(
  table: WebAssembly.Table,
  functions: Readonly<Partial<Record<HostFunction, WebAssembly.ImportValue>>>,
): void {
  const names = HOST_FUNCTIONS.filter((name) => functions[name] !== undefined);
  const key = names.join();
  let module = modules.get(key);
  if (module === undefined) {
    module = trampolines(names);
    modules.set(key, module);
  }
  place(table, names, new WebAssembly.Instance(module, { [MODULE]: functions }));
}

/** Puts the function that traps as a wait on a memory that is not shared into its place. */
export function placeForbiddenWait(table: WebAssembly.Table): void {
  const key = 'forbiddenWait';
  let module = modules.get(key);
  if (module === undefined) {
    module = forbiddenWait();
    modules.set(key, module);
  }
  place(table, [key], new WebAssembly.Instance(module));
}

function place(table: WebAssembly.Table, names: readonly HostFunction[], { exports }: WebAssembly.Instance): void {
  for (const name of names) table.set(HOST_FUNCTIONS.indexOf(name), exports[name]);
}
