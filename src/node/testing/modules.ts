/** Programs built by hand, as a node has them loaded. */
import { Program } from '../../capture/running/program.ts';
import { rewrite } from '../../capture/rewriting/rewrite.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import type { LoadedModule } from '../modules/modules.ts';

/**
 * @param describe adds imports and the code; @returns the index of the function that is `_start`
 * @param shared whether its memory is
 */
export function programOf(name: string, describe: (builder: ModuleBuilder) => number, shared = false): LoadedModule {
  const builder = new ModuleBuilder();
  builder.memories.push({ minimum: 1, maximum: 1, shared });
  builder.export('_start', 'function', describe(builder));
  const bytes = builder.build();
  const original = new Uint8Array(new SharedArrayBuffer(bytes.length));
  original.set(bytes);
  const rewritten = new WebAssembly.Module(rewrite(bytes).module);
  const program = Program.open(original, rewritten);
  const { memories, hostMemory } = program;
  return { hash: name, original, rewritten, program, memories, hostMemory };
}
