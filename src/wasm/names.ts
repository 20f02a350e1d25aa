/** Function names from the `name` custom section (WebAssembly core specification, appendix "Custom Sections"). */
import { GodwitError } from '../base/errors.ts';
import type { Module } from './module.ts';
import { WasmReader } from './reader.ts';

const FUNCTION_NAMES = 1;

/** @returns the name of function `index`, null if the section does not give one or is malformed, which is allowed */
export function functionName(module: Module, index: number): string | null {
  const section = module.customs.find(({ name }) => name === 'name');
  if (section === undefined) return null;
  try {
    return findName(new WasmReader(module.bytes, section.content.start, section.content.end), index);
  } catch (error) {
    if (error instanceof GodwitError) return null;
    throw error;
  }
}

function findName(r: WasmReader, wanted: number): string | null {
  while (r.pos < r.end) {
    const subsection = r.u8();
    const size = r.u32();
    const start = r.pos;
    if (subsection !== FUNCTION_NAMES) {
      r.skip(size);
      continue;
    }
    for (let count = r.u32(); count > 0 && r.pos < start + size; count--) {
      const index = r.u32();
      if (index === wanted) return r.name();
      r.skip(r.u32());
    }
    return null;
  }
  return null;
}
