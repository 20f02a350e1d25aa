import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture } from '../../../test/support/build.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { I32 } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { MOST_UNPOLLED, pollExpensive } from './costs.ts';
import { cyclicNodes } from './cycles.ts';
import { Edges } from './edges.ts';
import { analyse } from './graph.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

/** `levels` functions of which each calls the next one twice; the last one counts, in a global. `run` calls the first. */
function tree(levels: number, indirect = false): Uint8Array<ArrayBuffer> {
  const b = new ModuleBuilder();
  const count = b.global(I32, true, new Assembler().constant(0).done());
  const leaf = new Assembler().op(OP.globalGet, count).constant(1).op(OP.i32Add).op(OP.globalSet, count);
  let callee = b.define([], [], [], leaf.done());
  b.table(levels);
  for (let level = 1; level < levels; level++) {
    const code = new Assembler();
    // Types of its own for each level, or else all functions would seem to call each other.
    const parameters = Array.from({ length: level - 1 }, () => I32);
    const type = b.type(parameters, []);
    if (indirect) b.elements([callee], level - 1);
    for (let call = 0; call < 2; call++) {
      if (indirect) {
        for (let i = 1; i < level; i++) code.constant(0);
        code.constant(level - 1).op(OP.callIndirect, type, 0);
      } else code.op(OP.call, callee);
    }
    callee = b.define(indirect ? [...parameters, I32] : [], [], [], code.done());
  }
  const run = new Assembler();
  if (indirect) for (let i = 1; i < levels; i++) run.constant(0);
  run.op(OP.call, callee).op(OP.globalGet, count);
  b.export('run', 'function', b.define([], [I32], [], run.done()));
  return b.build();
}

const polls = (bytes: Uint8Array): number =>
  analyse(decodeModule(bytes)).entryPolls.reduce((sum, polled) => sum + polled, 0);

test('a tree of calls without loops is polled where it has become large', () => {
  assert.equal(polls(tree(10)), 0);
  for (const indirect of [false, true]) {
    assert.ok(polls(tree(20, indirect)) >= 1);
    // Each level doubles the cost, so there is a poll every dozen of levels.
    const many = polls(tree(60, indirect));
    assert.ok(many >= 3 && many <= 8, `${many} polls`);
  }
});

test('bulk instructions count by what they may do without a poll', () => {
  const fills = (count: number, length: number | null): number => {
    const b = new ModuleBuilder();
    b.memories.push({ minimum: 1, maximum: 1 });
    const code = new Assembler();
    for (let i = 0; i < count; i++) {
      code.constant(0).constant(0);
      if (length === null) code.get(0);
      else code.constant(length);
      code.op(OP.memoryFill, 0);
    }
    b.define([I32], [], [], code.done());
    return polls(b.build());
  };
  assert.equal(fills(120, null), 0);
  assert.equal(fills(130, null), 1);
  assert.equal(fills(130, 1 << 20), 1);
  assert.equal(fills(1000, 4096), 0);
  assert.equal(fills(10_000, 100), 0);
});

test('a tree of calls without loops is captured on its way', () => {
  const program = subject(tree(20), 'run', [], () => ({}));
  const original = runOriginal(program);
  const captured = runCaptured(program, (tick) => tick % 7 === 0);
  assert.equal(original.end, String(2 ** 19));
  assert.equal(captured.end, original.end);
  // 2^19 leaves of a few instructions each.
  assert.ok(captured.ticks >= (2 ** 19 * 4) / MOST_UNPOLLED, `${captured.ticks} polls`);
  assert.ok(captured.captures > 1);
});

test('a set of functions costs as much as its most expensive one, also if others in it call it', () => {
  // 0 calls the set {1, 2} twice; 2 calls the set too, so it is on a cycle; 1 is just not too expensive.
  const calls = new Edges();
  const set = 3;
  for (const [from, to] of [
    [0, set],
    [0, set],
    [set, 1],
    [set, 2],
    [2, set],
  ] as const)
    calls.add(from, to);
  const polled = cyclicNodes(4, calls.from, calls.to, calls.count).slice(0, 3);
  assert.deepEqual([...polled], [0, 0, 1]);
  pollExpensive(calls, 4, Uint32Array.of(1, MOST_UNPOLLED, 1), polled);
  assert.deepEqual([...polled], [1, 0, 1]);
});

/** Their functions on cycles of calls outside of loops; what a compiler makes of them may change these numbers. */
const RECURSIVE = { lisp: 11, sort: 2, ray: 3 } as const;

test('no function of an ordinary program is so large', async () => {
  for (const name of ['lisp', 'sort', 'ray'] as const) {
    assert.equal(polls((await fixture(name)).bytes), RECURSIVE[name], name);
  }
});
