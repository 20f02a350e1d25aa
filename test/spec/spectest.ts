/**
 * The module `spectest` that scripts import from: functions that print, four globals, a table and a memory, all of it
 * WebAssembly, so that links are checked as between other modules.
 */
import { moduleBytes } from './text.ts';

const PRINTERS: readonly (readonly string[])[] = [
  [],
  ['i32'],
  ['i64'],
  ['f32'],
  ['f64'],
  ['i32', 'f32'],
  ['f64', 'f64'],
];

function printName(params: readonly string[]): string {
  return ['print', ...params].join('_');
}

const FUNCTIONS = await moduleBytes(`(module
  ${PRINTERS.map((params) => `(import "host" "${printName(params)}" (func $${printName(params)} (param ${params.join(' ')})))`).join('\n')}
  ${PRINTERS.map((params) => {
    const gets = params.map((_, i) => `(local.get ${i})`).join(' ');
    return `(func (export "${printName(params)}") (param ${params.join(' ')}) (call $${printName(params)} ${gets}))`;
  }).join('\n')})`);

const OBJECTS = await moduleBytes(`(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (table (export "table64") i64 10 20 funcref)
  (memory (export "shared_memory") 1 2 shared))`);

const functionsModule = new WebAssembly.Module(FUNCTIONS);
const objectsModule = new WebAssembly.Module(OBJECTS);

/** What all instances of a script have in common. @param shared whether the memory is shared, as rewritten modules want it */
export function spectestObjects(shared: boolean): WebAssembly.ModuleImports {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
  return { ...new WebAssembly.Instance(objectsModule).exports, memory };
}

/** @param print told of each call, before it has any effect: name and arguments */
export function spectestFunctions(print: (call: string) => void): WebAssembly.ModuleImports {
  const host = Object.fromEntries(
    PRINTERS.map((params) => {
      const name = printName(params);
      return [name, (...args: unknown[]): void => print([name, ...args].join(' '))];
    }),
  );
  return { ...new WebAssembly.Instance(functionsModule, { host }).exports };
}
