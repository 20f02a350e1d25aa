import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeModule } from '../../wasm/decode.ts';
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { I32 } from '../../wasm/types.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import { Assembler } from '../code/assembler.ts';
import { countedLoop } from './counted.ts';
import type { CountedLoop } from './counted.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';
import type { Run } from '../testing/harness.ts';

/** Where the bound stands: behind the counter, before it, or nowhere because it is 0. */
type Form = 'behind' | 'before' | 'none';

interface Shape {
  readonly form: Form;
  readonly step: number;
  readonly start: number;
  readonly bound: number;
  /** The bound comes from a local. */
  readonly inLocal: boolean;
  /** Rounds after which the loop is left in any case. */
  readonly most: number;
}

const COUNTER = 0;
const BOUND = 1;
const ROUNDS = 2;
const SUM = 3;

/** run() sums what the counter goes through; also the loop's position in the function is not the outermost one. */
function module({ form, step, start, bound, inLocal, most }: Shape): Uint8Array<ArrayBuffer> {
  const code = new Assembler();
  const pushBound = (): Assembler => (inLocal ? code.get(BOUND) : code.constant(bound));
  code.constant(start).op(OP.localSet, COUNTER).constant(bound).op(OP.localSet, BOUND);
  code.raw(OP.block, 0x40, OP.loop, 0x40);
  code.get(SUM).constant(31).op(0x6c).get(COUNTER).op(OP.i32Add).op(OP.localSet, SUM);
  code.get(ROUNDS).constant(1).op(OP.i32Add).op(OP.localTee, ROUNDS).constant(most).op(0x46).op(OP.brIf, 1);
  // A large body, so that a stretch has some 600 rounds.
  for (let i = 0; i < 380; i++) code.op(OP.nop);
  if (form === 'before') pushBound();
  code.get(COUNTER).constant(step).op(OP.i32Add).op(OP.localTee, COUNTER);
  if (form === 'behind') pushBound();
  if (form !== 'none') code.op(OP.i32Ne);
  code.op(OP.brIf, 0).raw(OP.end, OP.end);
  code.get(SUM).get(ROUNDS).op(OP.i32Add).get(COUNTER).op(OP.i32Add);
  const b = new ModuleBuilder();
  b.export('run', 'function', b.define([], [I32], [I32, I32, I32, I32], code.done()));
  return b.build();
}

function analysed(bytes: Uint8Array): CountedLoop | null {
  const walker = new FunctionWalker(decodeModule(bytes));
  walker.enter(0);
  while (walker.step()) {
    if (walker.opcode !== OP.end || walker.frameOpcode[walker.depth + 1] !== OP.loop) continue;
    const { pos, height, depth } = walker;
    const found = countedLoop(walker);
    assert.deepEqual([walker.pos, walker.height, walker.depth], [pos, height, depth]);
    return found;
  }
  throw new Error('no loop');
}

const SHAPE: Shape = { form: 'behind', step: 1, start: 0, bound: 10, inLocal: false, most: 100 };

test('the forms of counted loops', () => {
  const short = ({ counter, step, bound }: CountedLoop): unknown => [counter, step, bound];
  for (const form of ['behind', 'before'] as const) {
    const found = analysed(module({ ...SHAPE, form, step: -4 }));
    assert.deepEqual(found && short(found), [COUNTER, -4, { kind: 'constant', value: 10 }]);
    const local = analysed(module({ ...SHAPE, form, inLocal: true }));
    assert.deepEqual(local && short(local), [COUNTER, 1, { kind: 'local', value: BOUND }]);
  }
  const zero = analysed(module({ ...SHAPE, form: 'none' }));
  assert.deepEqual(zero && [...(short(zero) as unknown[]), zero.boundAt], [
    COUNTER,
    1,
    { kind: 'constant', value: 0 },
    null,
  ]);
});

/** A loop with this body before the usual end. */
function withBody(body: (code: Assembler) => void, depth = 0): Uint8Array {
  const b = new ModuleBuilder();
  const leaf = b.define([], [], [], new Assembler().done());
  b.table(1);
  b.elements([leaf], 'declared');
  b.memories.push({ minimum: 1, maximum: 9 });
  const code = new Assembler().raw(OP.block, 0x40, OP.loop, 0x40);
  body(code);
  code.get(0).constant(1).op(OP.i32Add).op(OP.localTee, 0).constant(9).op(OP.i32Ne).op(OP.brIf, depth);
  code.raw(OP.end, OP.end);
  assert.equal(leaf, 0);
  b.define([I32, I32], [], [], code.done());
  return b.build();
}

test('loops that are not counted', () => {
  const of = (bytes: Uint8Array): CountedLoop | null => {
    const walker = new FunctionWalker(decodeModule(bytes));
    walker.enter(1);
    while (walker.step()) {
      if (walker.opcode === OP.end && walker.frameOpcode[walker.depth + 1] === OP.loop) return countedLoop(walker);
    }
    throw new Error('no loop');
  };
  assert.notEqual(of(withBody(() => {})), null);
  const bodies: Readonly<Record<string, (code: Assembler) => void>> = {
    'the counter is written twice': (code) => code.constant(0).op(OP.localSet, 0),
    'another way back': (code) => code.get(1).op(OP.brIf, 0),
    'a table of labels': (code) => code.raw(OP.block, 0x40).get(1).op(OP.brTable, 1, 0, 0).raw(OP.end),
    'a call': (code) => code.op(OP.call, 0),
    'another way back, for a null': (code) => code.get(1).op(OP.tableGet, 0).op(OP.brOnNull, 0).op(OP.drop),
    'a call of a reference': (code) => code.op(OP.refFunc, 0).op(OP.callRef, 0),
    'the size of a memory': (code) => code.op(OP.memorySize, 0).op(OP.drop),
    'a wake-up': (code) => code.get(1).get(1).op(OP.atomicNotify, 2, 0).op(OP.drop),
    'dropping a segment': (code) => code.op(OP.elemDrop, 0),
    'more memory': (code) => code.constant(1).op(OP.memoryGrow, 0).op(OP.drop),
    'a call through a table': (code) => code.constant(0).op(OP.callIndirect, 0, 0),
    'too large': (code) => {
      for (let i = 0; i < 600; i++) code.op(OP.nop);
    },
  };
  for (const [name, body] of Object.entries(bodies)) assert.equal(of(withBody(body)), null, name);
  assert.equal(of(withBody(() => {}, 1)), null, 'the last branch leaves the loop');
});

const shapes: fc.Arbitrary<Shape> = fc.record({
  form: fc.constantFrom<Form>('behind', 'before', 'none'),
  step: fc.oneof(
    fc.constantFrom(1, -1, 2, 4, -8, 3, -12, 4096),
    fc.integer({ min: -300, max: 300 }).filter((step) => step !== 0),
  ),
  start: fc.integer({ min: -3000, max: 3000 }),
  bound: fc.oneof(fc.constant(0), fc.integer({ min: -3000, max: 3000 }), fc.constant(-0x8000_0000)),
  inLocal: fc.boolean(),
  most: fc.integer({ min: 1, max: 4000 }),
});

test('counted loops run alike, whole and in stretches, captured between them', () => {
  const without = (run: Run): unknown => ({ end: run.end, log: run.log });
  let captures = 0;
  fc.assert(
    fc.property(shapes, (shape) => {
      const program = subject(module(shape), 'run', [], () => ({}));
      const original = without(runOriginal(program));
      assert.deepEqual(without(runCaptured(program, () => false, false)), original);
      // A resumed loop gets through one round before it comes to a poll again.
      const captured = runCaptured(program, (tick) => tick <= 6);
      captures += captured.captures;
      assert.deepEqual(without(captured), original);
    }),
    { numRuns: 150 },
  );
  assert.ok(captures > 150, `${captures} captures were made`);
});

test('each of the two forms has a poll before its loop, and both are one safepoint', () => {
  const { module: rewritten, stats } = rewrite(module(SHAPE));
  assert.deepEqual([stats.sites, stats.polls], [1, 1]);
  // One function has hints, function 0, and these are two.
  const compiled = new WebAssembly.Module(rewritten);
  const [hints] = WebAssembly.Module.customSections(compiled, 'metadata.code.branch_hint');
  assert.deepEqual([...new Uint8Array(hints ?? assert.fail()).subarray(0, 3)], [1, 0, 2]);
});
