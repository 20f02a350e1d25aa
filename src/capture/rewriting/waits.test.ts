/** Waits and notify in one thread: results, traps and their places as in the original, captured and resumed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP } from '../../wasm/opcodes.ts';
import { I32 } from '../../wasm/types.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { Assembler } from '../code/assembler.ts';
import { createMemory } from '../layout/memory.ts';
import { Machine } from '../running/machine.ts';
import { Program } from '../running/program.ts';
import { createControl } from '../layout/entries.ts';
import { rewrite } from './rewrite.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

interface Access {
  readonly name: string;
  /** Writes the operands above the address, and the instruction. */
  readonly write: (code: Assembler, offset: number) => Assembler;
}

const MICROSECOND = [0xe8, 0x07];

const ACCESSES: readonly Access[] = [
  {
    name: 'wait32 for another value',
    write: (code, offset) => code.constant(7).op(OP.i64Const, 0).op(OP.atomicWait32, 2, offset),
  },
  {
    name: 'wait32',
    write: (code, offset) =>
      code
        .constant(0)
        .op(OP.i64Const)
        .raw(...MICROSECOND)
        .op(OP.atomicWait32, 2, offset),
  },
  {
    name: 'wait64',
    write: (code, offset) =>
      code
        .op(OP.i64Const, 0)
        .op(OP.i64Const)
        .raw(...MICROSECOND)
        .op(OP.atomicWait64, 3, offset),
  },
  { name: 'notify', write: (code, offset) => code.constant(-1).op(OP.atomicNotify, 2, offset) },
];

const PAGE = 65_536;
const ADDRESSES: readonly (readonly [address: number, offset: number])[] = [
  [0, 0],
  [8, 8],
  [PAGE - 16, 8],
  [4, 0],
  [2, 0],
  [1, 7],
  [PAGE, 0],
  [PAGE - 8, 8],
  [0, PAGE],
  [-8, 16],
  [-4, 2 ** 32 - 4],
];

/** 1000 times what was on the stack before plus the access's result, inside a handler of every exception. */
function program(access: Access, address: number, offset: number, shared: boolean, wide: boolean): Uint8Array {
  const b = new ModuleBuilder();
  b.memories.push({ minimum: 1, maximum: 1, shared, wide });
  b.export('memory', 'memory', 0);
  const inner = new Assembler();
  inner.constant(5);
  if (wide) inner.op(OP.i64Const).s64(BigInt(address));
  else inner.constant(address);
  access.write(inner, offset);
  inner.op(OP.localSet, 0).constant(1000).op(OP.i32Mul).get(0).op(OP.i32Add);
  const index = b.define([], [I32], [I32], inner.done());
  const outer = new Assembler();
  outer.raw(OP.try, I32).op(OP.call, index).raw(OP.catchAll).constant(-1).op(OP.end);
  b.export('run', 'function', b.define([], [I32], [], outer.done()));
  return b.build();
}

for (const shared of [true, false]) {
  for (const wide of [false, true]) {
    test(`a ${shared ? 'shared' : 'plain'} memory with ${wide ? 64 : 32}-bit addresses`, () => {
      let captures = 0;
      for (const access of ACCESSES) {
        for (const [address, offset] of ADDRESSES) {
          const one = subject(program(access, address, offset, shared, wide), 'run', [], () => ({}));
          const original = runOriginal(one);
          const captured = runCaptured(one, () => true);
          captures += captured.captures;
          assert.deepEqual(
            { ...captured, ticks: 0, captures: 0 },
            original,
            `${access.name} at ${address} + ${offset}: ${original.end}`,
          );
        }
      }
      // One of the waits for what is there may be at five of the addresses, the other at four.
      assert.equal(captures, shared ? 9 : 0);
    });
  }
}

test('a host without a queue takes no program that waits', () => {
  const bytes = program(ACCESSES[1]!, 0, 0, true, false);
  const opened = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const control = createControl();
  const memories = [new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })];
  assert.throws(() => new Machine(opened, { imports: {}, memories, control, poll() {} }), { code: 'not_runnable' });
});

test('the host is asked with whole addresses, unsigned counts and signed values', () => {
  const b = new ModuleBuilder();
  b.memories.push({ minimum: 1, maximum: 1 });
  b.memories.push({ minimum: 0, maximum: 65_536, shared: true });
  const code = new Assembler();
  code.constant(65_536).op(OP.memoryGrow, 1).op(OP.drop);
  code
    .constant(-8)
    .constant(-3)
    .op(OP.i64Const)
    .s64(-(2n ** 63n));
  code.op(OP.atomicWait32, 0x42, 1, 4).op(OP.drop);
  code
    .constant(-16)
    .op(OP.i64Const)
    .s64(-(2n ** 62n));
  code.op(OP.i64Const, 9).op(OP.atomicWait64, 0x43, 1, 8).op(OP.drop);
  code.constant(-4).constant(-1).op(OP.atomicNotify, 0x42, 1, 0);
  b.export('run', 'function', b.define([], [I32], [], code.done()));
  const bytes = b.build();
  const opened = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const control = createControl();
  const memories = [
    new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    new WebAssembly.Memory({ initial: 0, maximum: 65_536, shared: true }),
  ];
  const asked: unknown[] = [];
  const ask =
    (name: string) =>
    (...args: unknown[]): number => {
      asked.push([name, ...args]);
      return 1;
    };
  const waiting = { wait32: ask('wait32'), wait64: ask('wait64'), notify: ask('notify') };
  const machine = new Machine(opened, { imports: {}, memories, control, poll() {}, waiting });
  assert.deepEqual(machine.start('run'), { type: 'returned', value: 1 });
  assert.deepEqual(asked, [
    ['wait32', 1, 2 ** 32 - 4, -3, -(2n ** 63n)],
    ['wait64', 1, 2 ** 32 - 8, -(2n ** 62n), 9n],
    ['notify', 1, 2 ** 32 - 4, 2 ** 32 - 1],
  ]);
});

test('addresses beyond 4 GiB are whole, too', () => {
  const b = new ModuleBuilder();
  const size = { minimum: 0, maximum: 65_537, shared: true, wide: true };
  b.memories.push(size);
  const code = new Assembler().op(OP.i64Const);
  code.s64(65_537n);
  code.op(OP.memoryGrow, 0).op(OP.drop).op(OP.i64Const);
  code.s64(2n ** 32n);
  code.constant(-3).op(OP.i64Const, 5).op(OP.atomicWait32, 2, 8);
  b.export('run', 'function', b.define([], [I32], [], code.done()));
  const opened = Program.compile(b.build());
  const control = createControl();
  const memories = opened.memories.map(createMemory);
  const asked: unknown[] = [];
  const ask = (...args: unknown[]): number => asked.push(args);
  const waiting = { wait32: ask, wait64: ask, notify: ask };
  const machine = new Machine(opened, { imports: {}, memories, control, poll() {}, waiting });
  assert.deepEqual(machine.start('run'), { type: 'returned', value: 1 });
  assert.deepEqual(asked, [[0, 2 ** 32 + 8, -3, 5n]]);
});

test('a further thread runs the start function, also captured, and then its entry with its arguments', () => {
  const b = new ModuleBuilder();
  b.memories.push({ minimum: 1, maximum: 1, shared: true });
  const seen = b.global(I32, true, new Assembler().constant(3).done());
  const wait = new Assembler().constant(0).constant(0).op(OP.i64Const, 0).op(OP.atomicWait32, 2, 0);
  b.start = b.define([], [], [], Uint8Array.of(...wait.done(), OP.globalSet, seen));
  const entry = new Assembler();
  entry.constant(0).constant(0).op(OP.i64Const, 0).op(OP.atomicWait32, 2, 0).op(OP.drop);
  entry.get(0).constant(100).op(OP.i32Mul).get(1).op(OP.i32Add).constant(100).op(OP.i32Mul);
  entry.op(OP.globalGet, seen).op(OP.i32Add);
  b.export('wasi_thread_start', 'function', b.define([I32, I32], [I32], [], entry.done()));
  const bytes = b.build();
  const opened = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const memories = [new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })];
  let waits = 0;
  const fresh = (): Machine => {
    const control = createControl();
    const wait32 = (): number => (++waits % 2 === 1 ? machine.unwind() : 2);
    const never = (): never => assert.fail();
    const waiting = { wait32, wait64: never, notify: never };
    const machine: Machine = new Machine(opened, { imports: {}, memories, control, poll() {}, waiting });
    return machine;
  };
  const started = fresh().start('wasi_thread_start', [7, 8]);
  assert.ok(started.type === 'captured' && started.state.root.type === 'start');
  const running = fresh().resume(started.state, 'wasi_thread_start', undefined, [7, 8]);
  assert.ok(running.type === 'captured' && running.state.root.type === 'export');
  assert.deepEqual(fresh().resume(running.state), { type: 'returned', value: 70_802 });
});
