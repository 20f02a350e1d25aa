/**
 * Warms the engine up in a new thread. Taking up the first state takes 8 to 15 ms there, since each function of the engine
 * is compiled when it is first called, and runs slowly at first: a process that arrives would stand still for that. So a
 * thread that has nothing to do yet captures and resumes a small program of its own.
 */
import { OP } from '../../wasm/opcodes.ts';
import { I32 } from '../../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { CONTROL_PAGES } from '../layout/entries.ts';
import { Machine } from './machine.ts';
import { createMemory } from '../layout/memory.ts';
import { Program } from './program.ts';

/** How often the parts of the loop's body are repeated: some hundred bytes are as good as one of a program's functions. */
const REPEATED = 12;
const ROUNDS = 6;

/** @returns how often the small program was captured */
export function warmUp(): number {
  const program = Program.compile(sample());
  const memories = program.memories.map(createMemory);
  const control = new WebAssembly.Memory({ initial: 1, maximum: CONTROL_PAGES, shared: true });
  // Every poll takes the stack up again in place, and some calls do it by way of a state.
  new Int32Array(control.buffer)[0] = 1;
  let captures = 0;
  let again = false;
  const tick = (n: number): number => {
    again = !again && n % 4 === 1;
    return again ? machine.unwind() : n;
  };
  const machine: Machine = new Machine(program, { imports: { env: { tick } }, memories, control, poll: () => {} });
  let outcome = machine.start();
  for (; outcome.type === 'captured'; captures++) outcome = machine.resume(outcome.state);
  return captures;
}

/** A module with a bit of everything that compilers emit most. */
function sample(): Uint8Array {
  const [TICK, , WORK, START] = [0, 1, 2, 3];
  const leaf = new Assembler(16).get(0).op(OP.call, TICK).get(0).op(OP.i32Add);
  const work = new Assembler(1024).raw(OP.loop, 0x40);
  for (let i = 0; i < REPEATED; i++) {
    work
      .raw(OP.block, 0x40)
      .get(1)
      .constant(7 + i)
      .op(OP.i32And)
      .op(OP.brIf, 0);
    work.get(1).get(0).op(OP.i32Add).op(OP.localSet, 2).raw(OP.end);
    work.get(1).constant(1).op(OP.i32And).raw(OP.if, I32).get(2).get(1).op(OP.call, 1).op(OP.i32Add);
    work
      .raw(OP.else)
      .get(1)
      .load(I32, 0, 16 * i)
      .raw(OP.end)
      .op(OP.localSet, 2);
  }
  work.get(1).constant(1).op(OP.i32Add).op(OP.localTee, 1).get(0).op(OP.i32LtU).op(OP.brIf, 0).raw(OP.end).get(2);
  const start = new Assembler(16).constant(ROUNDS).op(OP.call, WORK).op(OP.drop);
  const out = new WasmWriter(2048);
  const section = (id: number, write: (s: WasmWriter) => void): void => {
    const content = new WasmWriter(1024);
    write(content);
    out.section(id, content);
  };
  out.copy(PREAMBLE);
  section(1, (s) => s.raw(2, 0x60, 1, I32, 1, I32, 0x60, 0, 0));
  section(2, (s) => {
    s.u8(1);
    s.name('env');
    s.name('tick');
    s.raw(0, 0);
  });
  section(3, (s) => s.raw(3, 0, 0, 1));
  section(5, (s) => s.raw(1, 1, 1, 1));
  section(7, (s) => {
    s.u8(1);
    s.name('_start');
    s.raw(0, START);
  });
  section(10, (s) => {
    s.u8(3);
    for (const body of [leaf.body(), work.body(Uint8Array.of(I32, I32)), start.body()]) {
      s.u32(body.length);
      s.copy(body);
    }
  });
  return out.done();
}
