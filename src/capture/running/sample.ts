/**
 * A program with a bit of everything that compilers emit most, for warming the engine up (warm.ts): numbers of all types,
 * loads and stores, nested loops, switches, calls of all kinds, values that wait on the stack for a call.
 */
import { OP } from '../../wasm/opcodes.ts';
import { F32, F64, I32, I64 } from '../../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';

const EMPTY = 0x40;
/** Functions, by their numbers: `tick` is imported. */
const TICK = 0;
const LEAF = 1;
const WORK = 2;
const START = 3;
/** Types. */
const UNARY = 0;
/** Locals of `WORK` and of the large function: the parameter, then what {@link LOCALS} declares. */
const N = 0;
const I = 1;
const SUM = 2;
const TURN = 3;
const WIDE = 4;
const REAL = 5;
const SINGLE = 6;
const LEFT = 7;
const LOCALS = Uint8Array.of(I32, I32, I32, I64, F64, F32, I32);
/** Instructions that the engine copies without looking, which have no name in `OP`. */
const PLAIN = {
  i32Xor: 0x73,
  f64Mul: 0xa2,
  f32Add: 0x92,
  f32Demote: 0xb6,
  i32Wrap: 0xa7,
  i64Xor: 0x85,
};

type Piece = (a: Assembler, n: number) => Assembler;

/** Statements. None of them changes `I`, which counts, nor `TURN`. `n` differs from one to the next. */
const PIECES: readonly Piece[] = [
  (a, n) =>
    a
      .get(SUM)
      .constant(7 * n)
      .op(PLAIN.i32Xor)
      .get(I)
      .op(OP.i32Add)
      .op(OP.localSet, SUM),
  (a, n) =>
    a
      .get(I)
      .constant(255)
      .op(OP.i32And)
      .load(I32, 0, 16 * n)
      .get(SUM)
      .op(OP.i32Add)
      .op(OP.localSet, SUM),
  (a, n) =>
    a
      .get(I)
      .constant(1023)
      .op(OP.i32And)
      .get(WIDE)
      .store(I64, 0, 8 * n),
  (a) => a.get(WIDE).get(I).op(OP.i64ExtendI32U).op(PLAIN.i64Xor).op(OP.localTee, WIDE).op(PLAIN.i32Wrap).op(OP.drop),
  (a, n) =>
    a
      .get(REAL)
      .real(n + 0.5)
      .op(PLAIN.f64Mul)
      .op(OP.localSet, REAL),
  (a) => a.get(SINGLE).get(REAL).op(PLAIN.f32Demote).op(PLAIN.f32Add).op(OP.localSet, SINGLE),
  (a, n) => a.get(I).constant(n).op(OP.i32And).raw(OP.if, EMPTY).get(SUM).op(OP.localSet, SUM).raw(OP.end),
  (a) =>
    a
      .get(I)
      .constant(1)
      .op(OP.i32And)
      .raw(OP.if, I32)
      .get(SUM)
      .get(I)
      .op(OP.call, LEAF)
      .op(OP.i32Add)
      .raw(OP.else)
      .get(I)
      .raw(OP.end)
      .op(OP.localSet, SUM),
  (a, n) => a.raw(OP.block, EMPTY).get(I).constant(n).op(OP.i32And).op(OP.brIf, 0).get(SUM).op(OP.drop).raw(OP.end),
  (a) =>
    a.get(SUM).get(WIDE).op(PLAIN.i32Wrap).get(I).op(OP.call, LEAF).op(OP.i32Add).op(OP.i32Add).op(OP.localSet, SUM),
  (a) => a.get(I).constant(0).op(OP.callIndirect, UNARY, 0).get(SUM).op(OP.i32Add).op(OP.localSet, SUM),
  (a, n) => a.get(SUM).get(I).get(I).constant(n).op(OP.i32And).op(OP.select).op(OP.localSet, SUM),
  (a) => a.op(OP.globalGet, 0).constant(1).op(OP.i32Add).op(OP.globalSet, 0),
  (a, n) =>
    a
      .constant(8 * n)
      .constant(0)
      .constant(16)
      .op(OP.memoryFill, 0),
  (a, n) =>
    a
      .constant(64 * n)
      .constant(0)
      .get(I)
      .constant(63)
      .op(OP.i32And)
      .op(OP.memoryCopy, 0, 0),
  (a, n) =>
    a
      .get(I)
      .constant(255)
      .op(OP.i32And)
      .get(SUM)
      .store(I32, 0, 40_000 + n),
  (a, n) =>
    a
      .get(SUM)
      .constant(n * 123_457 - 10_000_000)
      .op(OP.i32Add)
      .op(OP.localSet, SUM),
  (a, n) => a.raw(OP.block, I32).get(SUM).get(I).constant(n).op(OP.i32And).op(OP.brIf, 0).raw(OP.end).op(OP.drop),
  halve,
  leaveInTheMiddle,
  switchOver,
];

/** A loop whose turns nobody counts. */
function halve(a: Assembler): Assembler {
  a.get(I).op(OP.localSet, LEFT).raw(OP.block, EMPTY).raw(OP.loop, EMPTY).get(LEFT).op(OP.i32Eqz).op(OP.brIf, 1);
  return a.get(LEFT).constant(1).op(OP.i32ShrU).op(OP.localSet, LEFT).op(OP.br, 0).raw(OP.end, OP.end);
}

/** With code behind it that nothing reaches. */
function leaveInTheMiddle(a: Assembler): Assembler {
  a.raw(OP.block, EMPTY).get(I).raw(OP.if, EMPTY).op(OP.br, 1).get(SUM).op(OP.localSet, SUM).raw(OP.end);
  return a.get(N).op(OP.brIf, 0).get(SUM).op(OP.return).constant(1).op(OP.drop).raw(OP.end);
}

/** A switch of four cases. */
function switchOver(a: Assembler): Assembler {
  for (let depth = 0; depth < 5; depth++) a.raw(OP.block, EMPTY);
  a.get(I).constant(3).op(OP.i32And).op(OP.brTable, 3, 0, 1, 2, 3);
  for (let depth = 3; depth >= 0; depth--) {
    a.raw(OP.end).get(SUM).constant(depth).op(OP.i32Add).op(OP.localSet, SUM).op(OP.br, depth);
  }
  return a.raw(OP.end);
}

/** `count` statements in turn, from number `first` on. */
function statements(a: Assembler, first: number, count: number): Assembler {
  for (let i = 0; i < count; i++) PIECES[(first + i) % PIECES.length]!(a, first + i);
  return a;
}

/** A loop that is run `turns` times, counted in `local`. */
function loop(
  a: Assembler,
  local: number,
  turns: (a: Assembler) => Assembler,
  body: (a: Assembler) => Assembler,
): Assembler {
  a.raw(OP.loop, EMPTY);
  body(a).get(local).constant(1).op(OP.i32Add).op(OP.localTee, local);
  return turns(a).op(OP.i32LtU).op(OP.brIf, 0).raw(OP.end);
}

function work(first: number, count: number): Uint8Array {
  const a = new Assembler(4096);
  loop(
    a,
    I,
    (bound) => bound.get(N),
    (outer) => {
      statements(outer, first, count).constant(0).op(OP.localSet, TURN);
      loop(
        outer,
        TURN,
        (bound) => bound.constant(2),
        (inner) => statements(inner.get(I).op(OP.call, TICK).op(OP.drop), first + 3, count),
      );
      return statements(outer, first + 5, count);
    },
  );
  return a.get(SUM).body(LOCALS);
}

/**
 * @param rounds how often its outer loops run: each round calls the import `env` `tick` (i32) -> i32 some dozen times
 * @returns a module in the binary format, a command with one memory of one page
 */
export function sampleProgram(rounds: number): Uint8Array<ArrayBuffer> {
  const bodies = [
    new Assembler(16).get(0).op(OP.call, TICK).get(0).op(OP.i32Add).body(),
    work(1, 15),
    new Assembler(16).constant(rounds).op(OP.call, WORK).op(OP.drop).body(),
    // A large one, which is never called.
    work(2, 90),
  ];
  const out = new WasmWriter(16_384);
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
  section(3, (s) => s.raw(4, 0, 0, 1, 0));
  section(4, (s) => s.raw(1, 0x70, 0, 1));
  section(5, (s) => s.raw(1, 1, 1, 1));
  section(6, (s) => s.raw(1, I32, 1, OP.i32Const, 0, OP.end));
  section(7, (s) => {
    s.u8(1);
    s.name('_start');
    s.raw(0, START);
  });
  section(9, (s) => s.raw(1, 0, OP.i32Const, 0, OP.end, 1, LEAF));
  section(10, (s) => {
    s.u8(bodies.length);
    for (const body of bodies) {
      s.u32(body.length);
      s.copy(body);
    }
  });
  return out.done();
}
