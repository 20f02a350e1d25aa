/** What a deep stack costs: to unwind it into a state, and to take that state up again. Memory is not copied. */
import { Assembler } from '../src/capture/code/assembler.ts';
import { Machine } from '../src/capture/running/machine.ts';
import { Program } from '../src/capture/running/program.ts';
import { rewrite } from '../src/capture/rewriting/rewrite.ts';
import type { MachineState } from '../src/capture/running/state.ts';
import { setEngineOptions } from '../src/node/v8.ts';
import { OP } from '../src/wasm/opcodes.ts';
import { ModuleBuilder } from '../src/wasm/testing/builder.ts';
import { I32, I64 } from '../src/wasm/types.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { controlMemory } from './engine/runs.ts';
import { best, median } from './statistics.ts';

const DEPTHS = [1, 10, 100, 1000, 5000];
/** Captures of a machine: of the first ones the code is not optimised yet. */
const CAPTURES = 40;

export const depth: Benchmark = {
  name: 'depth',
  operands: '',
  summary: 'capturing and resuming a deep stack, without memory',
  limit: 300,
  columns: [
    { key: 'name', meaning: 'frames on the stack' },
    { key: 'frames', meaning: 'how many' },
    { key: 'capture_ms', digits: 3, meaning: 'from the call that unwinds to the state: median' },
    { key: 'resume_ms', digits: 3, meaning: 'from the state until that call is made again: median' },
    { key: 'both_ms', digits: 3, meaning: 'the two together' },
    { key: 'fresh_ms', digits: 3, meaning: 'the two for the first time, in another instance: best' },
    { key: 'state_kb', digits: 1, meaning: 'size of the frames' },
  ],
  async *run({ rounds, tiny, signal }) {
    setEngineOptions();
    for (const frames of tiny ? DEPTHS.slice(0, 2) : DEPTHS) {
      signal.throwIfAborted();
      yield await Promise.resolve(measure(frames, tiny ? 2 : CAPTURES, rounds));
    }
  },
};

/** down(n, k) calls itself n - 1 times, and then the import `stop`. Each frame has four values to save. */
function deep(): Uint8Array<ArrayBuffer> {
  const b = new ModuleBuilder();
  const stop = b.importFunction('env', 'stop', [], []);
  const [n, k, result, extra] = [0, 1, 2, 3];
  const code = new Assembler().get(n).constant(1).op(OP.i32Sub).raw(OP.if, 0x40);
  code.get(n).constant(1).op(OP.i32Sub).get(k).constant(1).op(OP.i32Add).op(OP.call, b.nextFunction);
  code.op(OP.localSet, result).op(OP.else).op(OP.call, stop).raw(OP.end);
  // All of them are read behind the call.
  code.get(n).get(k).op(OP.i32Add).get(result).op(OP.i32Add).get(extra).op(WRAP).op(OP.i32Add);
  b.export('down', 'function', b.define([I32, I32], [I32], [I32, I64], code.done()));
  return b.build();
}

/** i32.wrap_i64 */
const WRAP = 0xa7;

interface Times {
  readonly capture: number;
  readonly resume: number;
}

function measure(frames: number, captures: number, rounds: number): Row {
  const bytes = deep();
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const warm: Times[] = [];
  const fresh: number[] = [];
  let state_kb = 0;
  for (let round = 0; round < rounds; round++) {
    const source = new Stopped(program);
    const first = source.begin(frames);
    state_kb = first.frames.length / 1024;
    const other = new Stopped(program);
    const times = Array.from({ length: captures }, () => other.again(first));
    fresh.push(times[0]!.capture + times[0]!.resume);
    warm.push(...times.slice(1));
  }
  const capture_ms = median(warm.map(({ capture }) => capture));
  const resume_ms = median(warm.map(({ resume }) => resume));
  return {
    name: `${frames} frames`,
    frames,
    capture_ms,
    resume_ms,
    both_ms: capture_ms + resume_ms,
    fresh_ms: best(fresh),
    state_kb,
  };
}

function poll(): void {
  throw new Error('a poll fired');
}

/** A machine whose import `stop` always unwinds. */
class Stopped {
  readonly #machine: Machine;
  #stopped = 0;

  constructor(program: Program) {
    const stop = (): void => {
      this.#stopped = performance.now();
      this.#machine.unwind();
    };
    this.#machine = new Machine(program, { imports: { env: { stop } }, memories: [], control: controlMemory(), poll });
    this.#machine.initialise();
  }

  begin(frames: number): MachineState {
    const outcome = this.#machine.call('down', [frames, 0]);
    if (outcome.type !== 'captured') throw new Error('the program has ended');
    return outcome.state;
  }

  /** Takes the state up, and is captured at once. */
  again(state: MachineState): Times {
    const begin = performance.now();
    const outcome = this.#machine.resume(state, 'down');
    const end = performance.now();
    if (outcome.type !== 'captured') throw new Error('the program has ended');
    return { resume: this.#stopped - begin, capture: end - this.#stopped };
  }
}
