/**
 * The engine by itself: `import { rewrite, Program, Machine } from 'godwit/capture'`. Rewrites a WebAssembly module so
 * that a running program can be captured, and resumes the captured state in a fresh instance, in another thread or on
 * another machine.
 *
 *     const rewritten = new WebAssembly.Module(rewrite(original).module);
 *     const program = Program.open(original, rewritten);
 *     const machine = new Machine(program, { imports, memory, control, poll });
 *     const outcome = machine.start();             // { type: 'captured', state } after machine.unwind()
 *     … encodeState(outcome.state) …               // and the memory, which is the host's
 *     new Machine(program, host).resume(decodeState(bytes));
 */
export { CONTROL_PAGES, ENGINE_VERSION, rewrite } from './rewrite.ts';
export type { RewriteStats, Rewritten } from './rewrite.ts';
export { Program } from './program.ts';
export { Machine } from './machine.ts';
export type { Host, Outcome } from './machine.ts';
export { decodeState, encodeState } from './state.ts';
export type { MachineState } from './state.ts';
export { createMemory, growMemory } from './memory.ts';
export type { MemorySize } from './memory.ts';
export { locate } from './locate.ts';
export type { Location } from './locate.ts';
export { ImageReader, ImageWriter } from './image.ts';
export type { Digest, ImageHasher, ImageHeader, ImageMemory, ImageSource, LoadedImage } from './image.ts';
