import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { I32 } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { locate } from './locate.ts';
import { Machine } from './machine.ts';
import { Program } from './program.ts';
import { createControl } from '../layout/entries.ts';
import { rewrite } from '../rewriting/rewrite.ts';

const NOT_EQUAL = 0x47;

/** run() counts in a loop, and divides by 0 when it has come to 9. @param filling makes the loop's body larger */
function counting(filling: number): Uint8Array<ArrayBuffer> {
  const b = new ModuleBuilder();
  const code = new Assembler().raw(OP.loop, 0x40);
  for (let i = 0; i < filling; i++) code.get(1).get(0).op(OP.i32Add).op(OP.localSet, 1);
  code.constant(7).constant(9).get(0).op(OP.i32Sub).op(0x6d).op(OP.drop);
  code.get(0).constant(1).op(OP.i32Add).op(OP.localTee, 0).constant(100).op(NOT_EQUAL).op(OP.brIf, 0).raw(OP.end);
  b.export('run', 'function', b.define([], [I32], [I32, I32], code.get(1).done()));
  return b.build();
}

interface Seen {
  /** What the machine said each time when it had taken up a state. */
  readonly slow: readonly boolean[];
  readonly error: string;
  readonly offsets: readonly number[];
}

/** Captured at the first poll, resumed in another machine, and there goes on at each of the next two polls. */
function resumed(bytes: Uint8Array<ArrayBuffer>): Seen {
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const slow: boolean[] = [];
  const machine = (
    poll: (machine: Machine, lower: () => void) => void,
    taken: (slow: boolean) => void = () => {},
  ): Machine => {
    const control = createControl();
    const attention = new Int32Array(control.buffer, 0, 1);
    attention[0] = 1;
    const made: Machine = new Machine(program, {
      imports: {},
      memories: [],
      control,
      poll: () => poll(made, () => attention.fill(0)),
      resumed: taken,
    });
    return made;
  };
  const outcome = machine((captured) => captured.unwind()).start('run');
  assert.ok(outcome.type === 'captured');
  let polls = 0;
  const second = machine(
    (_going, lower) => {
      if (++polls === 2) lower();
    },
    (is) => slow.push(is),
  );
  try {
    second.resume(outcome.state, 'run');
  } catch (error) {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    return { slow, error: error.message, offsets: locate(program, error).map(({ offset }) => offset) };
  }
  return assert.fail('it traps');
}

/** Where the original traps. */
function trapped(bytes: Uint8Array<ArrayBuffer>): Omit<Seen, 'slow'> {
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  try {
    (run as () => void)();
  } catch (error) {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    const [, offset] = /:0x([0-9a-f]+)/.exec(error.stack ?? '') ?? [];
    return { error: error.message, offsets: [Number.parseInt(offset ?? '', 16)] };
  }
  return assert.fail('it traps');
}

test('a loop that goes on where it was becomes one that is optimised at once', () => {
  const bytes = counting(600);
  assert.deepEqual(resumed(bytes), { slow: [true, false, false], ...trapped(bytes) });
});

test('a loop that is too large for that goes on as before', () => {
  const bytes = counting(3000);
  assert.deepEqual(resumed(bytes), { slow: [true, true, true], ...trapped(bytes) });
});

/** A function `run` that calls `tell` within so many loops, behind so many other instructions. */
function nestedLoops(depth: number, others = 0): Uint8Array {
  const b = new ModuleBuilder();
  const tell = b.importFunction('env', 'tell', [], []);
  const code = new Assembler();
  for (let i = 0; i < others; i++) code.op(OP.nop);
  for (let i = 0; i < depth; i++) code.raw(OP.loop, 0x40);
  code.op(OP.call, tell);
  for (let i = 0; i < depth; i++) code.op(OP.end);
  b.export('run', 'function', b.define([], [], [], code.done()));
  return b.build();
}

test('a continuation has room for more locals than its function', () => {
  const program = (locals: number): Uint8Array => {
    const b = new ModuleBuilder();
    const tell = b.importFunction('env', 'tell', [], []);
    const code = new Assembler().op(OP.call, tell);
    b.export(
      'run',
      'function',
      b.define(
        [],
        [],
        Array.from({ length: locals }, () => I32),
        code.done(),
      ),
    );
    return b.build();
  };
  const bytes = program(48_900);
  const { linker } = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  assert.ok(WebAssembly.validate(linker.continuation(1, 0, 0).bytes));
  assert.throws(() => rewrite(program(49_990)), { code: 'limit', message: /49991 locals/ });
});

test('the rest of a function repeats each loop around its safepoint, so there may not be too many', () => {
  const bytes = nestedLoops(250);
  const { linker } = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const { sites } = linker.plan(1);
  assert.ok(linker.continuation(1, sites - 1, 0).codeBytes > 20 * linker.continuation(1, 0, 0).codeBytes);
  // What else is in the function makes no difference.
  for (const others of [0, 300_000]) {
    assert.throws(() => rewrite(nestedLoops(1000, others)), {
      code: 'limit',
      message: /function 1 nests loops too deeply to be made movable/,
    });
  }
});
