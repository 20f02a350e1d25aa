import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP } from '../../wasm/opcodes.ts';
import { EXTERNREF, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { Assembler } from '../code/assembler.ts';
import { locate } from './locate.ts';
import { Machine } from './machine.ts';
import { Program } from './program.ts';
import { createControl } from '../layout/entries.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { decodeState, encodeState } from './state.ts';
import type { MachineState } from './state.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';
import type { MakeImports } from '../testing/harness.ts';

const imports: MakeImports = (log) => ({
  tell: (n: number): number => {
    log.push(String(n));
    return n * 2;
  },
});

/** A module whose function `tell` is imported: i32 to i32. */
function builder(): ModuleBuilder {
  const b = new ModuleBuilder();
  b.importFunction('env', 'tell', [I32], [I32]);
  return b;
}

/** Runs it uncaptured, captured at every safepoint, and captured at each single one. */
function sameEverywhere(bytes: Uint8Array, entry = 'run'): string {
  const program = subject(bytes, entry, [], imports);
  const { log, end, where, memory } = runOriginal(program);
  const uncaptured = runCaptured(program, () => false);
  for (let at = 0; at <= uncaptured.ticks; at++) {
    const run = runCaptured(program, (tick) => at === 0 || tick === at);
    assert.deepEqual({ log: run.log, end: run.end, where: run.where, memory: run.memory }, { log, end, where, memory });
    assert.ok(run.captures > 0 || uncaptured.ticks === 0);
  }
  return end;
}

test('a frame of hundreds of values of all types is kept', () => {
  const b = builder();
  const types: ValueType[] = Array.from({ length: 300 }, (_, i) => [I32, I64, F64, V128][i % 4]!);
  const code = new Assembler();
  types.forEach((type, local) => {
    if (type === I64) code.constant(local).op(0xac).op(OP.localSet, local);
    else if (type === F64) code.constant(local).op(0xb7).op(OP.localSet, local);
    else if (type === V128)
      code
        .constant(local)
        .op(0x120 + 17)
        .op(OP.localSet, local);
    else code.constant(local).op(OP.localSet, local);
  });
  code.constant(1).op(OP.call, 0);
  types.forEach((type, local) => {
    code.get(local);
    if (type === I64) code.op(0xa7);
    else if (type === F64) code.op(0xaa);
    else if (type === V128) code.op(0x120 + 27).u8(3);
    code.op(OP.i32Add).constant(31).op(OP.i32Mul);
  });
  b.export('run', 'function', b.define([], [I32], types, code.done()));
  sameEverywhere(b.build());
});

test('the start function is captured and _start follows it', () => {
  const b = builder();
  const init = b.define([], [], [], new Assembler().constant(1).op(OP.call, 0).op(OP.drop).done());
  b.start = init;
  b.export('_start', 'function', b.define([], [], [], new Assembler().constant(2).op(OP.call, 0).op(OP.drop).done()));
  const program = Program.open(b.build(), new WebAssembly.Module(rewrite(b.build()).module));
  const log: number[] = [];
  let stop = true;
  const make = (): Machine => {
    const machine: Machine = new Machine(program, {
      imports: {
        env: {
          tell: (n: number): number => {
            if (stop) machine.unwind();
            return log.push(n);
          },
        },
      },
      memories: [],
      control: createControl(),
      poll() {},
    });
    return machine;
  };
  const outcome = make().start();
  assert.equal(outcome.type, 'captured');
  stop = false;
  const { state } = outcome as { state: MachineState };
  assert.deepEqual(state.root, { type: 'start' });
  assert.equal(make().resume(state).type, 'returned');
  assert.deepEqual(log, [1, 2]);
});

test('tables that code changes, dropped element segments and function references', () => {
  const b = builder();
  const double = b.define([I32], [I32], [], new Assembler().get(0).op(OP.call, 0).done());
  const table = b.table(2, 9);
  const other = b.table(1);
  const elements = b.elements([double, 0], 'passive');
  const type = b.type([I32], [I32]);
  const code = new Assembler();
  code.constant(0).constant(0).constant(2).op(OP.tableInit, elements, table).op(OP.elemDrop, elements);
  code.op(OP.refFunc, 0).constant(3).op(OP.tableGrow, table).op(OP.drop);
  code.constant(1).op(OP.refNull, FUNCREF).op(OP.tableSet, table);
  code.constant(0).op(OP.refFunc, double).op(OP.tableSet, other);
  code.op(OP.refFunc, double).op(OP.localSet, 0);
  code.constant(5).constant(0).op(OP.callIndirect, type, table);
  code.constant(4).op(OP.callIndirect, type, table);
  code.constant(0).op(OP.callIndirect, type, other);
  code.op(OP.tableSize, table).op(OP.i32Add);
  code.get(0).op(OP.refIsNull).op(OP.i32Add);
  code.constant(1).op(OP.tableGet, table).op(OP.refIsNull).op(OP.i32Add);
  b.export('run', 'function', b.define([], [I32], [FUNCREF], code.done()));
  assert.equal(sameEverywhere(b.build()), String(40 + 5 + 0 + 1));
});

test('a dropped element segment stays dropped', () => {
  const b = builder();
  const table = b.table(2);
  const elements = b.elements([0], 'passive');
  const code = new Assembler().op(OP.elemDrop, elements).constant(7).op(OP.call, 0).op(OP.drop);
  code.constant(0).constant(0).constant(1).op(OP.tableInit, elements, table);
  b.export('run', 'function', b.define([], [], [], code.done()));
  assert.match(sameEverywhere(b.build()), /^trap: element segment out of bounds/);
});

test('a host object in a frame keeps the program where it is, and it runs on there', () => {
  const b = new ModuleBuilder();
  b.importFunction('env', 'get', [], [EXTERNREF]);
  b.importFunction('env', 'pause', [], []);
  b.importFunction('env', 'put', [EXTERNREF], []);
  const code = new Assembler().op(OP.call, 0).op(OP.localSet, 0).op(OP.call, 1).get(0).op(OP.call, 2);
  b.export('_start', 'function', b.define([], [], [EXTERNREF], code.done()));
  const bytes = b.build();
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const thing = { thing: true };
  const seen: unknown[] = [];
  let stop = true;
  const machine: Machine = new Machine(program, {
    imports: {
      env: {
        get: () => thing,
        pause: () => {
          if (stop) machine.unwind();
        },
        put: (value: unknown) => {
          seen.push(value);
        },
      },
    },
    memories: [],
    control: createControl(),
    poll() {},
  });
  const outcome = machine.start();
  assert.ok(outcome.type === 'captured');
  assert.ok(outcome.state.hostReference);
  assert.throws(() => encodeState(outcome.state), { code: 'cannot_move', message: /host_reference/ });
  stop = false;
  assert.equal(machine.resume(outcome.state).type, 'returned');
  assert.deepEqual(seen, [thing]);
});

test('a host object that nothing reads any more does not keep the program', () => {
  const b = new ModuleBuilder();
  b.importFunction('env', 'get', [], [EXTERNREF]);
  b.importFunction('env', 'pause', [], []);
  b.importFunction('env', 'put', [EXTERNREF], []);
  // Read behind the first pause, not behind the second one, and once more an operand below a call and then gone.
  const code = new Assembler().op(OP.call, 0).op(OP.localSet, 0).op(OP.call, 1).get(0).op(OP.call, 2);
  code.op(OP.call, 1).op(OP.call, 0).op(OP.call, 1).op(OP.call, 2).op(OP.call, 1);
  b.export('_start', 'function', b.define([], [], [EXTERNREF], code.done()));
  const bytes = b.build();
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  let goesOn = false;
  const stays: boolean[] = [];
  const machine: Machine = new Machine(program, {
    imports: {
      env: {
        get: () => ({}),
        pause: () => {
          goesOn = !goesOn;
          if (goesOn) machine.unwind();
        },
        put: (value: unknown) => assert.notEqual(value, null),
      },
    },
    memories: [],
    control: createControl(),
    poll() {},
  });
  let outcome = machine.start();
  while (outcome.type === 'captured') {
    stays.push(outcome.state.hostReference);
    outcome = machine.resume(outcome.state);
  }
  assert.deepEqual(stays, [true, false, true, false]);
});

test('what the rest of a round that leaves its loop does not write is kept, though whole rounds write it', () => {
  const b = builder();
  const [value, left] = [0, 1];
  const code = new Assembler().constant(2).op(OP.localSet, left).raw(OP.loop, 0x40);
  code.get(left).op(OP.call, 0).op(OP.localSet, value).constant(7).op(OP.call, 0).op(OP.drop);
  code.get(left).constant(1).op(OP.i32Sub).op(OP.localTee, left).op(OP.brIf, 0).raw(OP.end).get(value);
  b.export('run', 'function', b.define([], [I32], [I32, I32], code.done()));
  assert.equal(sameEverywhere(b.build()), '2');
});

test('what the next round reads is kept, though the rest of this one may write it', () => {
  const b = builder();
  const [value, left, sum] = [0, 1, 2];
  const code = new Assembler().constant(3).op(OP.localSet, left).constant(5).op(OP.localSet, value).raw(OP.loop, 0x40);
  code.get(value).get(sum).op(OP.i32Add).op(OP.localSet, sum).constant(7).op(OP.call, 0).op(OP.drop);
  code.get(left).constant(1).op(OP.i32Sub).op(OP.localTee, left).op(OP.brIf, 0);
  code.constant(9).op(OP.localSet, value).raw(OP.end).get(sum).get(value).op(OP.i32Add);
  b.export('run', 'function', b.define([], [I32], [I32, I32, I32], code.done()));
  assert.equal(sameEverywhere(b.build()), '24');
});

/** run(n) calls itself n deep, then the import; each frame adds its number to the result. */
function recursion(): Uint8Array {
  const b = builder();
  const self = b.nextFunction;
  const code = new Assembler().get(0).op(OP.i32Eqz).op(OP.if, 0x7f).constant(1).op(OP.call, 0).op(OP.else);
  code.get(0).get(0).constant(1).op(OP.i32Sub).op(OP.call, self).op(OP.i32Add).op(OP.end);
  b.export('run', 'function', b.define([I32], [I32], [], code.done()));
  return b.build();
}

test('a stack thousands deep is captured and resumed', () => {
  const program = subject(recursion(), 'run', [3000], imports);
  const run = runCaptured(program, (tick) => tick === 1, false);
  assert.equal(run.end, String((3000 * 3001) / 2 + 2));
  assert.equal(run.captures, 1);
});

test('a tail call leaves no frame: the outermost one may be of another function', () => {
  const b = builder();
  const last = b.define([I32], [I32], [], new Assembler().get(0).op(OP.call, 0).constant(1).op(OP.i32Add).done());
  const type = b.type([I32], [I32]);
  const table = b.table(1);
  b.elements([last], 0);
  const middle = new Assembler().get(0).op(OP.call, 0).constant(0).op(OP.returnCallIndirect, type, table);
  const first = b.define([I32], [I32], [], middle.done());
  b.export('run', 'function', b.define([], [I32], [], new Assembler().constant(3).op(OP.returnCall, first).done()));
  b.export('import', 'function', b.define([], [I32], [], new Assembler().constant(4).op(OP.returnCall, 0).done()));
  assert.equal(sameEverywhere(b.build()), '13');
  assert.equal(sameEverywhere(b.build(), 'import'), '8');
});

/** Two functions that tail-call each other; neither has a loop. */
function circle(): Uint8Array {
  const b = builder();
  const [even, odd] = [b.nextFunction, b.nextFunction + 1];
  const step = (other: number, end: number): Uint8Array => {
    const code = new Assembler().get(0).op(OP.i32Eqz).raw(OP.if, 0x40).constant(end).op(OP.return).op(OP.end);
    return code.get(0).constant(1).op(OP.i32Sub).op(OP.returnCall, other).done();
  };
  b.define([I32], [I32], [], step(odd, 1));
  b.define([I32], [I32], [], step(even, 0));
  b.export('run', 'function', even);
  return b.build();
}

test('a circle of tail calls is polled, and its stack does not grow', () => {
  const program = subject(circle(), 'run', [1_000_001], imports);
  assert.equal(runCaptured(program, () => false, false).end, '0');
  const captured = runCaptured(subject(circle(), 'run', [30], imports), () => true);
  assert.equal(captured.end, '1');
  assert.ok(captured.captures >= 30);
});

test('a stack overflow is the same error as in the original', () => {
  const program = subject(recursion(), 'run', [10_000_000], imports);
  assert.equal(runOriginal(program).end, 'trap: Maximum call stack size exceeded');
  assert.equal(runCaptured(program, () => false, false).end, 'trap: Maximum call stack size exceeded');
});

test('a trap is located by name and offset, also in a continuation', () => {
  const b = builder();
  const code = new Assembler().constant(1).op(OP.call, 0).op(OP.drop).op(OP.unreachable);
  const crash = b.define([], [], [], code.done());
  b.export('run', 'function', crash);
  const name = [...Buffer.from('crash')];
  b.custom('name', Uint8Array.of(1, name.length + 3, 1, crash, name.length, ...name));
  const bytes = b.build();
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  let stop = true;
  const make = (): Machine => {
    const machine: Machine = new Machine(program, {
      imports: { env: { tell: () => (stop ? machine.unwind() : 0) } },
      memories: [],
      control: createControl(),
      poll() {},
    });
    return machine;
  };
  const outcome = make().start('run');
  assert.ok(outcome.type === 'captured');
  stop = false;
  const offset = Buffer.from(bytes).lastIndexOf(Buffer.of(OP.drop, OP.unreachable, OP.end)) + 1;
  const resume = (): unknown => make().resume(decodeState(encodeState(outcome.state)));
  assert.throws(resume, (error) => {
    assert.ok(error instanceof WebAssembly.RuntimeError);
    assert.deepEqual(locate(program, error), [{ index: crash, name: 'crash', offset }]);
    return true;
  });
});

test('a program and a module that do not belong together are refused', () => {
  const rewritten = new WebAssembly.Module(rewrite(recursion()).module);
  assert.throws(() => Program.open(builder().build(), rewritten), { code: 'corrupt' });
  assert.throws(() => Program.open(recursion(), new WebAssembly.Module(recursion())), {
    code: 'corrupt',
  });
});
