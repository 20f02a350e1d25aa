/**
 * The engine by itself: `import { rewrite, capture, resume } from 'godwit/capture'`. Rewrites a WebAssembly module so that
 * a running program can be captured, and resumes what was captured in a fresh instance, in another thread, process or
 * machine. docs/CAPTURE.md has an example.
 *
 *     const program = Program.compile(original);               // or open(original, …) with what rewrite() gave
 *     const execution = new Execution(program, { imports });
 *     let ended = execution.start();                           // meanwhile, in another thread: capture(control)
 *     if (ended.type === 'captured') {
 *       const image = ended.execution.image();                 // bytes: keep them, send them
 *       ended = resume(program, image, { imports });
 *     }
 *
 * Below that are the parts: a {@link Machine} runs one thread on memories of the host's and is what nodes use.
 */
export { CONTROL_PAGES, ENGINE_VERSION, rewrite } from './rewriting/rewrite.ts';
export type { RewriteStats, Rewritten } from './rewriting/rewrite.ts';
export { createControl } from './layout/entries.ts';
export { Execution, capture, resume } from './running/execution.ts';
export type { Embedding, Ended } from './running/execution.ts';
export { GodwitError } from '../base/errors.ts';
export { Program } from './running/program.ts';
export { Machine } from './running/machine.ts';
export type { Outcome } from './running/machine.ts';
export type { Host, Waiting } from './running/host.ts';
export { decodeState, encodeState } from './running/state.ts';
export type { MachineState } from './running/state.ts';
export { createMemory, growMemory } from './layout/memory.ts';
export type { MemorySize } from './layout/memory.ts';
export { locate } from './running/locate.ts';
export type { Location } from './running/locate.ts';
export { ImageReader } from './image/image-reader.ts';
export type { LoadedImage } from './image/image-reader.ts';
export { ImageWriter } from './image/image-writer.ts';
export type { ImageSource } from './image/image-writer.ts';
export type { Digest, ImageHasher, ImageHeader, ImageMemory } from './image/image.ts';
