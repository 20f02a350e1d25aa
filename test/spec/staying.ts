/** Modules that the engine runs without capturing them, for they use garbage collection: with shared memories only. */
import { memoryName } from '../../src/capture/layout/entries.ts';
import { GODWIT } from '../../src/capture/layout/facts.ts';
import type { StayingProgram } from '../../src/capture/running/staying.ts';
import type { Guest } from './world.ts';

/** @throws WebAssembly.LinkError, a trap */
export function stayingGuest(
  program: StayingProgram,
  imports: WebAssembly.Imports,
  memories: readonly WebAssembly.Memory[],
): Guest {
  const own = Object.fromEntries(memories.map((memory, index) => [memoryName(index), memory]));
  const { exports } = new WebAssembly.Instance(program.rewritten, { ...imports, [GODWIT]: own });
  return {
    exports,
    call: (name, args) => (exports[name] as (...args: unknown[]) => unknown)(...args),
    frames: (trap) => program.locate(trap).map(({ index, offset }) => `${index}@${offset.toString(16)}`),
  };
}
