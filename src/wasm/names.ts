/** Names from the `name` custom section (WebAssembly core specification, appendix "Custom Sections"). */
import { GodwitError } from '../base/errors.ts';
import type { Module } from './module.ts';
import { WasmReader } from './reader.ts';
import { WasmWriter } from './writer.ts';

/** As much of a module as it takes to find names. */
type Named = Pick<Module, 'bytes' | 'customs'>;

const MODULE_NAME = 0;
const FUNCTION_NAMES = 1;
const LOCAL_NAMES = 2;

/** Appends the section with the name of the module alone: V8 shows it in the stack entries of its functions. */
export function writeModuleName(module: WasmWriter, name: string): void {
  const text = new WasmWriter(name.length + 8);
  text.name(name);
  const subsection = new WasmWriter(name.length + 16);
  subsection.section(MODULE_NAME, text);
  module.custom('name', subsection);
}

/** @returns the name of function `index`, null if the section does not give one or is malformed, which is allowed */
export function functionName(module: Named, index: number): string | null {
  return reading(module, FUNCTION_NAMES, (r, end) => (seekEntry(r, end, index, skipName) ? r.name() : null));
}

/** @returns the names of the locals of function `index`, by local, as far as the section gives them */
export function localNames(module: Module, index: number): ReadonlyMap<number, string> {
  const names = reading(module, LOCAL_NAMES, (r, end) => {
    if (!seekEntry(r, end, index, skipNames)) return null;
    const found = new Map<number, string>();
    for (let count = r.u32(); count > 0 && r.pos < end; count--) found.set(r.u32(), r.name());
    return found;
  });
  return names ?? new Map();
}

/** The first function with this name, null if there is none. */
export function functionNamed(module: Module, name: string): number | null {
  return reading(module, FUNCTION_NAMES, (r, end) => {
    for (let count = r.u32(); count > 0 && r.pos < end; count--) {
      const index = r.u32();
      if (r.name() === name && index < module.functionTypes.length) return index;
    }
    return null;
  });
}

/** Reads a subsection. @returns null if it is not there, or malformed */
function reading<T>(module: Named, subsection: number, read: (r: WasmReader, end: number) => T | null): T | null {
  const section = module.customs.find(({ name }) => name === 'name');
  if (section === undefined) return null;
  const r = new WasmReader(module.bytes, section.content.start, section.content.end);
  try {
    while (r.pos < r.end) {
      const id = r.u8();
      const size = r.u32();
      if (id === subsection) return read(r, Math.min(r.end, r.pos + size));
      r.skip(size);
    }
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
  }
  return null;
}

/** Goes to what a map of the section has for an index. @returns false if it has nothing */
function seekEntry(r: WasmReader, end: number, wanted: number, skip: (r: WasmReader) => void): boolean {
  for (let count = r.u32(); count > 0 && r.pos < end; count--) {
    if (r.u32() === wanted) return true;
    skip(r);
  }
  return false;
}

function skipName(r: WasmReader): void {
  r.skip(r.u32());
}

function skipNames(r: WasmReader): void {
  for (let count = r.u32(); count > 0; count--) {
    r.u32();
    skipName(r);
  }
}
