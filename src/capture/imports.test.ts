/**
 * Programs that import more than functions: globals and tables are the host's, and a fresh instance gets fresh ones.
 * What code can change of them is part of the state, all else is the host's to provide again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP } from '../wasm/opcodes.ts';
import { F64, FUNCREF, I32, I64 } from '../wasm/types.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { Assembler } from './code/assembler.ts';
import { Machine } from './running/machine.ts';
import type { Outcome } from './running/machine.ts';
import { Program } from './running/program.ts';
import { createControl } from './layout/entries.ts';
import { rewrite } from './rewriting/rewrite.ts';
import { decodeState, encodeState } from './running/state.ts';

type Values = Readonly<Record<string, WebAssembly.ImportValue>>;

/**
 * Runs `run` in the original and, rewritten, with a capture at each call of the import `pause`, each resumed in a
 * fresh instance.
 * @param make the other imports, anew for each instance
 * @returns the result, which is the same
 */
function sameCaptured(builder: ModuleBuilder, make: () => Values): unknown {
  const bytes = builder.build();
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { ...make(), pause() {} } }).exports;
  const expected = (run as () => unknown)();
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  let captures = 0;
  let resumed = false;
  const fresh = (): Machine => {
    const machine: Machine = new Machine(program, {
      imports: {
        env: {
          ...make(),
          pause() {
            resumed = !resumed;
            if (resumed) machine.unwind();
          },
        },
      },
      memories: [],
      control: createControl(),
      poll() {},
    });
    return machine;
  };
  let outcome: Outcome = fresh().start('run');
  while (outcome.type === 'captured') {
    captures++;
    outcome = fresh().resume(decodeState(encodeState(outcome.state)), 'run');
  }
  assert(captures > 0);
  assert.deepEqual(outcome.value, expected);
  return expected;
}

test('imported globals: constants are the host’s, what code can set travels', () => {
  const b = new ModuleBuilder();
  const pause = b.importFunction('env', 'pause', [], []);
  const constant = b.importGlobal('env', 'constant', I32, false);
  const count = b.importGlobal('env', 'count', I64, true);
  const ratio = b.importGlobal('env', 'ratio', F64, true);
  const derived = b.global(I32, true, new Assembler().op(OP.globalGet, constant).done());
  const code = new Assembler();
  code.raw(OP.i64Const, 41).op(OP.globalSet, count);
  code.op(OP.call, pause);
  code.op(OP.globalGet, count).raw(OP.i64Const, 1).op(0x7c).op(OP.globalSet, count);
  code.op(OP.globalGet, derived).constant(1).op(OP.i32Add).op(OP.globalSet, derived);
  code.op(OP.call, pause);
  code.op(OP.globalGet, count).op(0xa7);
  code.op(OP.globalGet, ratio).op(0xaa).op(OP.i32Add);
  code.op(OP.globalGet, constant).op(OP.i32Add).op(OP.globalGet, derived).op(OP.i32Add);
  b.export('run', 'function', b.define([], [I32], [], code.done()));
  const make = (): Values => ({
    constant: new WebAssembly.Global({ value: 'i32' }, 100),
    count: new WebAssembly.Global({ value: 'i64', mutable: true }, 0n),
    ratio: new WebAssembly.Global({ value: 'f64', mutable: true }, 7),
  });
  assert.equal(sameCaptured(b, make), 42 + 7 + 100 + 101);
});

test('an imported table: segments, and what code sets, are there in the next instance', () => {
  const b = new ModuleBuilder();
  const pause = b.importFunction('env', 'pause', [], []);
  const table = b.importTable('env', 'table', FUNCREF, 2, 8);
  const constant = (value: number): number => b.define([], [I32], [], new Assembler().constant(value).done());
  const [five, six, seven] = [constant(5), constant(6), constant(7)];
  const type = b.type([], [I32]);
  b.elements([five], 0);
  b.elements([six, seven], 'declared');
  const code = new Assembler();
  code.op(OP.call, pause);
  code.constant(1).op(OP.refFunc, six).op(OP.tableSet, table);
  code.op(OP.refFunc, seven).constant(1).op(OP.tableGrow, table).op(OP.drop);
  code.op(OP.call, pause);
  code.constant(0);
  for (const at of [0, 1, 2]) code.constant(at).op(OP.callIndirect, type, table).op(OP.i32Add);
  b.export('run', 'function', b.define([], [I32], [], code.done()));
  const make = (): Values => ({ table: new WebAssembly.Table({ element: 'anyfunc', initial: 2, maximum: 8 }) });
  assert.equal(sameCaptured(b, make), 5 + 6 + 7);
});

test('an imported table that no code changes is the host’s alone', () => {
  const b = new ModuleBuilder();
  const pause = b.importFunction('env', 'pause', [], []);
  const table = b.importTable('env', 'table', FUNCREF, 1);
  const type = b.type([], [I32]);
  const code = new Assembler().op(OP.call, pause).constant(0).op(OP.callIndirect, type, table);
  b.export('run', 'function', b.define([], [I32], [], code.done()));
  const give = new ModuleBuilder();
  give.export('f', 'function', give.define([], [I32], [], new Assembler().constant(9).done()));
  const provider = new WebAssembly.Module(give.build());
  const make = (): Values => {
    const made = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
    made.set(0, new WebAssembly.Instance(provider).exports['f']);
    return { table: made };
  };
  assert.equal(sameCaptured(b, make), 9);
});
