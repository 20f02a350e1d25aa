import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { I32 } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { rewrite } from './rewrite.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

/** What a round of a loop does: changes locals, and now and then begins the next one or leaves the loop early. */
type Step =
  | { readonly type: 'add'; readonly to: number; readonly from: number; readonly constant: number }
  | { readonly type: 'next' | 'leave'; readonly local: number; readonly bits: number }
  /** By a table: the next round, out of the loop, or on. */
  | { readonly type: 'choose'; readonly local: number }
  | { readonly type: 'if'; readonly local: number; readonly steps: readonly Step[]; readonly others: readonly Step[] };

const LOCALS = 6;
const ROUNDS = LOCALS;
const MULTIPLY = 0x6c;
const LESS = 0x48;

/** Pushes whether another round may begin: a loop without a way out at its head ends all the same. */
function early(code: Assembler): Assembler {
  return code.get(ROUNDS).constant(40).op(LESS);
}

/** @param depth constructs that are open inside the loop */
function write(code: Assembler, step: Step, depth: number): void {
  switch (step.type) {
    case 'add':
      code.get(step.to).constant(31).op(MULTIPLY).get(step.from).op(OP.i32Add);
      code.constant(step.constant).op(OP.i32Add).op(OP.localSet, step.to);
      return;
    case 'next':
    case 'leave':
      code.get(step.local).constant(step.bits).op(OP.i32And).op(OP.i32Eqz);
      if (step.type === 'next') early(code).op(OP.i32And);
      code.op(OP.brIf, step.type === 'next' ? depth : depth + 1);
      return;
    case 'choose':
      code.raw(OP.block, 0x40).get(step.local).constant(7).op(OP.i32And).constant(1);
      early(code).op(OP.select);
      code.raw(OP.brTable, 3, depth + 1, 0, depth + 2, 0, OP.end);
      return;
    case 'if':
      code.get(step.local).constant(1).op(OP.i32And).raw(OP.if, 0x40);
      for (const inner of step.steps) write(code, inner, depth + 1);
      code.op(OP.else);
      for (const inner of step.others) write(code, inner, depth + 1);
      code.op(OP.end);
  }
}

/** run() mixes all locals after a loop of `steps`; its end falls out of the loop, or begins the next round. */
function looping(steps: readonly Step[], again: boolean): Uint8Array<ArrayBuffer> {
  const code = new Assembler();
  for (let local = 0; local < LOCALS; local++) code.constant(local * 7 + 1).op(OP.localSet, local);
  // Operands below the loop and a result of it.
  code.constant(5).raw(OP.block, I32).constant(9).raw(OP.drop, OP.block, 0x40, OP.loop, I32);
  code.get(ROUNDS).constant(1).op(OP.i32Add).op(OP.localSet, ROUNDS);
  for (const step of steps) write(code, step, 0);
  if (again) early(code).op(OP.brIf, 0).op(OP.br, 1);
  else early(code).op(OP.brIf, 0).get(2);
  code.op(OP.end).op(OP.br, 1).op(OP.end).constant(77).op(OP.end).op(OP.i32Add);
  for (let local = 0; local <= LOCALS; local++) code.constant(131).op(MULTIPLY).get(local).op(OP.i32Add);
  const b = new ModuleBuilder();
  b.export('run', 'function', b.define([], [I32], Array<number>(LOCALS + 1).fill(I32), code.done()));
  return b.build();
}

const local = fc.nat({ max: LOCALS - 1 });
const { steps } = fc.letrec<{ step: Step; steps: Step[] }>((tie) => ({
  steps: fc.array(tie('step'), { maxLength: 6 }),
  step: fc.oneof(
    { maxDepth: 2 },
    fc.record({ type: fc.constant('add' as const), to: local, from: local, constant: fc.nat({ max: 99 }) }),
    fc.record({ type: fc.constantFrom('next' as const, 'leave' as const), local, bits: fc.constantFrom(1, 3, 7, 63) }),
    fc.record({ type: fc.constant('choose' as const), local }),
    fc.record({ type: fc.constant('if' as const), local, steps: tie('steps'), others: tie('steps') }),
  ) as fc.Arbitrary<Step>,
}));

test('loops with a poll in each second round run alike, captured at any of them', () => {
  let captures = 0;
  fc.assert(
    fc.property(steps, fc.boolean(), fc.integer({ min: 1, max: 3 }), (body, again, every) => {
      const program = subject(looping(body, again), 'run', [], () => ({}));
      const original = runOriginal(program);
      assert.equal(runCaptured(program, () => false, false).end, original.end);
      const captured = runCaptured(program, (tick) => tick % every === 0);
      captures += captured.captures;
      assert.equal(captured.end, original.end);
    }),
    { numRuns: 300 },
  );
  assert.ok(captures > 300, `${captures} captures were made`);
});

/** How often a constant stands in a module. */
function count(module: Uint8Array, constant: number): number {
  const { bytes, length } = new Assembler().constant(constant);
  return (
    Buffer.from(module)
      .toString('latin1')
      .split(Buffer.from(bytes.subarray(0, length)).toString('latin1')).length - 1
  );
}

const MARK = 0x1234_5678;

test('such a loop has one safepoint, one poll and two bodies', () => {
  const bytes = looping([{ type: 'add', to: 1, from: 2, constant: MARK }], true);
  const { module, stats } = rewrite(bytes);
  assert.deepEqual([stats.sites, stats.polls, count(module, MARK)], [1, 1, 2]);
  const [hints] = WebAssembly.Module.customSections(new WebAssembly.Module(module), 'metadata.code.branch_hint');
  // Of one function, function 0, one.
  assert.deepEqual([...new Uint8Array(hints ?? assert.fail()).subarray(0, 3)], [1, 0, 1]);
});

test('a loop that is too large is not written twice', () => {
  const step: Step = { type: 'add', to: 1, from: 2, constant: MARK };
  const { module } = rewrite(looping(Array<Step>(100).fill(step), true));
  assert.equal(count(module, MARK), 100);
});
