/**
 * Resuming a state that another node has forged. What does not fit the program is refused; what fits makes the
 * program's own code do something else, which may trap. Nothing else can come out, and it ends.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GodwitError } from '../base/errors.ts';
import { OP } from '../wasm/opcodes.ts';
import { F64, FUNCREF, I32, I64, V128 } from '../wasm/types.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { Assembler } from './code/assembler.ts';
import { Machine } from './running/machine.ts';
import { Program } from './running/program.ts';
import { createControl } from './layout/entries.ts';
import { rewrite } from './rewriting/rewrite.ts';
import { decodeState, encodeState } from './running/state.ts';
import type { MachineState } from './running/state.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

/** The host stops a program that runs on for ever, as forged counters make it. */
class OutOfFuel extends Error {}
const FUEL = 50;

/**
 * `_start` calls `down(20)`, which calls itself and at the bottom the import `tell`; on its way it has locals of all
 * types, changes a table and a global that holds a function, and loops with a poll.
 */
function program(): Program {
  const b = new ModuleBuilder();
  const tell = b.importFunction('env', 'tell', [I32], [I32]);
  const table = b.table(2, 8);
  const counter = b.global(I64, true, new Assembler().raw(OP.i64Const, 0).done());
  const held = b.global(FUNCREF, true, new Assembler().op(OP.refNull, FUNCREF).done());
  const type = b.type([I32], [I32]);
  const down = b.nextFunction;
  b.elements([tell, down], 'declared');
  const code = new Assembler();
  code.op(OP.refFunc, down).op(OP.localTee, 1).op(OP.globalSet, held);
  code.constant(1).op(OP.refFunc, tell).op(OP.tableSet, table);
  code.op(OP.globalGet, counter).raw(OP.i64Const, 1).op(0x7c).op(OP.globalSet, counter);
  code.raw(OP.loop, 0x40).get(5).constant(1).op(OP.i32Add).op(OP.localTee, 5);
  code.constant(3).op(OP.i32And).op(OP.brIf, 0).op(OP.end);
  code.get(0).op(OP.i32Eqz).raw(OP.if, I32);
  code.constant(7).constant(1).op(OP.callIndirect, type, table);
  code.op(OP.else).get(0).constant(1).op(OP.i32Sub).op(OP.call, down).op(OP.end);
  code.get(1).op(OP.refIsNull).op(OP.i32Add).op(OP.globalGet, held).op(OP.refIsNull).op(OP.i32Add);
  b.define([I32], [I32], [FUNCREF, I64, F64, V128, I32], code.done());
  b.export(
    '_start',
    'function',
    b.define([], [], [], new Assembler().constant(20).op(OP.call, down).op(OP.drop).done()),
  );
  const bytes = b.build();
  return Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
}

const subject = program();

/** @param capture whether the import is captured, and no poll; else all polls are, up to {@link FUEL} of them */
function machine(capture: boolean): Machine {
  let left = FUEL;
  const control = createControl();
  new Int32Array(control.buffer)[0] = capture ? 0 : 1;
  const made: Machine = new Machine(subject, {
    imports: { env: { tell: (n: number) => (capture ? made.unwind() : n) } },
    memories: [],
    control,
    poll() {
      if (left-- === 0) throw new OutOfFuel();
    },
  });
  return made;
}

function captured(): MachineState {
  const outcome = machine(true).start();
  assert(outcome.type === 'captured');
  return outcome.state;
}

const honest = encodeState(captured());

/** @returns what came of it */
function resume(state: MachineState): 'returned' | 'refused' | 'trapped' | 'endless' {
  try {
    return machine(false).resume(state).type === 'returned' ? 'returned' : assert.fail('nobody captures it');
  } catch (error) {
    if (error instanceof OutOfFuel) return 'endless';
    if (error instanceof GodwitError) {
      // A forged stack may look as if functions of the host had been in its middle.
      assert(['corrupt', 'limit', 'cannot_move'].includes(error.code), `${error.code}: ${error.message}`);
      return 'refused';
    }
    const overflow = error instanceof RangeError && error.message === 'Maximum call stack size exceeded';
    assert(overflow || error instanceof WebAssembly.RuntimeError, String(error));
    return 'trapped';
  }
}

test('the state as it was captured is resumed', () => {
  assert.equal(resume(decodeState(honest)), 'returned');
});

const byte = fc.nat(255);
const changes = fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 5 });
const changed = (bytes: Uint8Array, list: readonly (readonly [number, number])[]): Uint8Array<ArrayBuffer> => {
  const copy = Uint8Array.from(bytes);
  for (const [at, value] of list) copy[at % copy.length] = value;
  return copy;
};

test('frames and globals with any bytes changed are refused, or run in the sandbox', () => {
  const state = decodeState(honest);
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(changes, fc.constantFrom('frames' as const, 'globals' as const), (list, part) => {
      const end = resume({ ...state, [part]: changed(state[part], list) });
      seen.set(end, (seen.get(end) ?? 0) + 1);
    }),
    fuzzed(600),
  );
  assert((seen.get('refused') ?? 0) > 0 && (seen.get('returned') ?? 0) > 0, JSON.stringify([...seen]));
});

test('frames that are missing, doubled, in another order or none at all', () => {
  const state = decodeState(honest);
  const { frames } = state;
  const piece = fc.tuple(fc.nat(frames.length), fc.nat(frames.length)).map(([a, b]) => frames.subarray(a, b));
  const pieces = fc.array(fc.oneof(piece, fc.uint8Array({ maxLength: 80 })), { maxLength: 4 });
  fc.assert(
    fc.property(pieces, (list) => {
      resume({ ...state, frames: Uint8Array.from(list.flatMap((part) => [...part])) });
    }),
    fuzzed(600),
  );
  assert.equal(resume({ ...state, frames: new Uint8Array() }), 'refused');
});

test('functions, tables and roots that the program does not have', () => {
  const state = decodeState(honest);
  const index = fc.oneof(fc.nat(5), fc.nat(0x7fff_ffff));
  const indices = fc.array(index, { maxLength: 12 }).map((list) => Int32Array.from(list));
  const tables = fc.array(fc.record({ table: index, entries: indices }), { maxLength: 3 });
  const root = fc.constantFrom(
    { type: 'start' } as const,
    ...['tell', '', '__proto__'].map((name) => ({ type: 'export', name }) as const),
  );
  fc.assert(
    fc.property(indices, tables, fc.option(root), (references, content, other) => {
      resume({ ...state, references, tables: content, root: other ?? state.root });
    }),
    fuzzed(400),
  );
  assert.equal(resume({ ...state, root: { type: 'start' } }), 'refused');
  const long = new Int32Array(9).fill(-1);
  assert.equal(resume({ ...state, tables: [{ table: 0, entries: long }] }), 'refused', 'longer than its maximum');
  const many = new Int32Array(10_000_001);
  assert.equal(resume({ ...state, references: many }), 'refused', 'more than the engine’s tables hold');
  assert.equal(resume({ ...state, globals: new Uint8Array(12).fill(0xff) }), 'refused', 'a function that is not there');
});

test('any change of an encoded state', () => {
  fc.assert(
    fc.property(changes, (list) => {
      let state: MachineState;
      try {
        state = decodeState(changed(honest, list));
      } catch (error) {
        assert(error instanceof GodwitError);
        return;
      }
      resume(state);
    }),
    fuzzed(600),
  );
});
