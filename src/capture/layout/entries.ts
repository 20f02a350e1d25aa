/** Tables and memories as rewritten modules and continuation modules declare them. */
import { LIMITS } from '../../base/limits.ts';
import type { Addressed, TableType } from '../../wasm/module.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import { I32, I64 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { GODWIT } from './facts.ts';
import { sizeOf } from './memory.ts';
import type { MemorySize } from './memory.ts';

/** Pages that the control memory may have: the save area and the host's part. */
export const CONTROL_PAGES: number = LIMITS.capturedStackBytes / 65_536 + 1;

/** Memory by which other threads ask for a capture; can be posted to them. An execution has one for itself. */
export function createControl(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: CONTROL_PAGES, shared: true });
}

/** Flags of limits: with a maximum and shared; with 64-bit addresses. */
const SHARED = 3;
const WIDE = 4;

/** The type of a table. */
export function writeTable(
  s: WasmWriter,
  references: ReferenceTypes,
  { element, minimum, maximum, address }: Omit<TableType, 'init'>,
): void {
  references.write(s, element);
  s.u8((maximum === null ? 0 : 1) | (address === I64 ? WIDE : 0));
  s.u64(Math.min(minimum, Number.MAX_SAFE_INTEGER));
  if (maximum !== null) s.u64(Math.min(maximum, Number.MAX_SAFE_INTEGER));
}

/** A table that the engine adds. */
export function writeOwnTable(
  s: WasmWriter,
  references: ReferenceTypes,
  element: ValueType,
  minimum: number,
  maximum: number | null,
): void {
  writeTable(s, references, { element, minimum, maximum, address: I32 });
}

/** Name under which the n-th memory is imported from the module `godwit`. */
export function memoryName(index: number): string {
  return index === 0 ? 'memory' : `memory${index}`;
}

/** The program's memories under their own numbers, and the control memory behind them. */
export function writeMemoryImports(s: WasmWriter, memories: readonly Addressed[]): void {
  memories.forEach((memory, index) => {
    writeMemoryImport(s, memoryName(index), sizeOf(memory));
  });
  writeMemoryImport(s, 'control', { initialPages: 1, maximumPages: CONTROL_PAGES, wide: false });
}

/** Import of a shared memory from the module `godwit`. */
export function writeMemoryImport(s: WasmWriter, name: string, { initialPages, maximumPages, wide }: MemorySize): void {
  s.name(GODWIT);
  s.name(name);
  s.raw(2, wide ? SHARED | WIDE : SHARED);
  s.u32(initialPages);
  s.u32(maximumPages);
}
