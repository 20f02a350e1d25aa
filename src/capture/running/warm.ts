/**
 * Warms the engine up in a new thread. Taking up the first states takes 8 to 20 ms there, since each function of the engine
 * is compiled when it is first called, and runs slowly until V8 has optimised it: a process that arrives would stand still
 * for that. So a thread that has nothing to do yet captures and resumes a small program of its own, and then makes its
 * continuations again and again.
 */
import { createControl } from '../layout/entries.ts';
import { createMemory } from '../layout/memory.ts';
import { NOTHING_SEEN } from '../continuation/loop-calls.ts';
import { Linker } from '../continuation/link.ts';
import { Machine } from './machine.ts';
import { Program } from './program.ts';
import { sampleProgram } from './sample.ts';

/** How often the sample's loops run while it is captured. */
const ROUNDS = 6;
/** How often all its continuations are made. More than twice gains little. */
const LINKS = 2;

/**
 * Between its pieces, of a few milliseconds but for the first one, the thread can look whether it is wanted.
 * @returns how often the small program was captured
 */
export function* warming(): Generator<undefined, number> {
  const program = Program.compile(sampleProgram(ROUNDS));
  const memories = program.memories.map(createMemory);
  const control = createControl();
  // Every poll takes the stack up again in place, and some calls do it by way of a state.
  new Int32Array(control.buffer)[0] = 1;
  let captures = 0;
  let again = false;
  const tick = (n: number): number => {
    again = !again && n % 4 === 1;
    return again ? machine.unwind() : n;
  };
  const machine: Machine = new Machine(program, { imports: { env: { tick } }, memories, control, poll: () => {} });
  yield;
  let outcome = machine.start();
  for (; outcome.type === 'captured'; captures++) {
    yield;
    outcome = machine.resume(outcome.state);
  }
  for (let i = 0; i < LINKS; i++) yield* makeContinuations(program);
  return captures;
}

/** Makes all continuations of a program, compiles none, and keeps none. */
function* makeContinuations({ original, facts, numbering }: Program): Generator<undefined, void> {
  const linker = new Linker(original, facts, numbering);
  for (let index = original.importedFunctions; index < original.functionTypes.length; index++) {
    const { sites } = linker.plan(index);
    for (let site = 0; site < sites; site++) {
      linker.continuation(index, site, 0, NOTHING_SEEN);
      yield;
    }
  }
}

/**
 * Does all of {@link warming} at once.
 * @returns how often the small program was captured
 */
export function warmUp(): number {
  const pieces = warming();
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}
