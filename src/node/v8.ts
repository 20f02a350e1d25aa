/** Choices of V8's own, which hold for a whole process: set before the first guest is compiled. */
import { setFlagsFromString } from 'node:v8';

/**
 * A mask by which V8 optimises functions of a module at once instead of when they have run for a while: the first one. In
 * a continuation that has a loop it is the continuation (capture/continuation/link.ts). In what linkers make it is a function
 * that calls constructors.
 */
const OPTIMISE_FIRST = '--wasm-tier-mask-for-testing=1';

/**
 * Makes V8 read hints which calls are worth inlining (compilation hints proposal). Without, it inlines nothing into a
 * function that it optimises at once, of which it has not seen what it calls.
 */
const READ_HINTS = '--experimental-wasm-compilation-hints';

/**
 * For guests, wherever they run. V8 inlines functions of WebAssembly of at most so many bytes, until the code has grown
 * by a factor and to a size. What makes a function movable is bytes too, and the factor is larger where most functions
 * of a module are small ones, which handlers and helpers make fewer. With V8's own choices (500, 3, 5000) less would be
 * inlined than in the original: fib of the benchmark `overhead` went from 1.55 of the unmodified time to 1.2, the Lisp
 * interpreter from 1.07 to 0.8. A factor of 5 was just enough for fib, until the module had two helpers more.
 */
export const GUEST_OPTIONS: readonly string[] = [
  '--wasm-inlining-max-size=1000',
  '--wasm-inlining-factor=8',
  '--wasm-inlining-budget=10000',
  OPTIMISE_FIRST,
  READ_HINTS,
];

/**
 * How far the heap grows before it is collected: to so many percent more than what lived on after the last time. A
 * daemon's own heap is small, and V8 counts to it the buffers in which bytes arrive: with V8's own choice a node that
 * receives an image collects all of its heap after every 9 MB.
 */
const HEAP_GROWTH_PERCENT = 300;

/**
 * Every 64 MB of such buffers would still begin a collection of the whole heap. With this they count as part of it, and
 * are mostly gone before: the threads of the collector need half the time. V8 has it since version 14.
 */
const COUNT_BUFFERS =
  Number.parseInt(process.versions.v8, 10) >= 14 ? ['--external-memory-accounted-in-global-limit'] : [];

const DAEMON_OPTIONS: readonly string[] = [`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`, ...COUNT_BUFFERS];

/** For this process, before anything else is loaded. */
export function setEngineOptions(): void {
  for (const option of [...GUEST_OPTIONS, ...DAEMON_OPTIONS]) setFlagsFromString(option);
}
