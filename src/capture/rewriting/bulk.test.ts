/** Bulk instructions cut into pieces of 7 bytes: what they do, and where they trap, as in the original, captured between all pieces. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fixture } from '../../../test/support/build.ts';
import { moduleBytes } from '../../../test/spec/text.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { BULK_PIECE } from '../analysis/bulk-uses.ts';
import { readFrames } from '../running/frames.ts';
import { analyse } from '../analysis/graph.ts';
import { Machine } from '../running/machine.ts';
import { createMemory } from '../layout/memory.ts';
import { Program } from '../running/program.ts';
import { createControl } from '../layout/entries.ts';
import { decodeState, encodeState } from '../running/state.ts';
import { copyMemory, runCaptured, runOriginal, subject } from '../testing/harness.ts';
import { wasiShim } from '../testing/wasi.ts';

const PIECE = 7;
const PAGE = 65_536;
/** Shorter than a piece, as long, longer, of several pieces with a rest and without. */
const LENGTHS = [0, 1, 6, 7, 8, 13, 14, 15, 40] as const;

/** Memory 0 has bytes of its own at its beginning and its end. */
const CONTENT = `
  (data (i32.const 0) "${Array.from({ length: 100 }, (_, i) => `\\${(i + 16).toString(16)}`).join('')}")
  (data (i32.const 65500) "the end of the first memory, 36 byte")`;
const WIDE_CONTENT = CONTENT.replaceAll('i32.const', 'i64.const');

interface Case {
  readonly name: string;
  /** Of memories; each is exported. */
  readonly memories: readonly string[];
  readonly content: string;
  /** Types of the operands; the last one is the length. */
  readonly operands: readonly ('i32' | 'i64')[];
  readonly instruction: string;
  /** Where it writes and, unless it fills, from where it reads. */
  readonly places: readonly (readonly [number, number])[];
}

const END = PAGE - 40;
const ALONE: readonly (readonly [number, number])[] = [
  [0, 300],
  [END, -1],
  [END + 1, 7],
  [PAGE, 0],
  [PAGE + 1, 0],
  [-1, 0],
];
/** Apart, the same, overlapping in both directions by less and by more than a piece, at the ends, and beyond them. */
const PAIRS: readonly (readonly [number, number])[] = [
  [500, 3],
  [3, 500],
  [9, 9],
  [10, 9],
  [9, 10],
  [20, 10],
  [10, 20],
  [END, END - 20],
  [END - 20, END],
  [END + 1, 0],
  [0, END + 1],
  [PAGE, 0],
  [0, PAGE],
  [-20, 0],
  [0, -20],
];

const CASES: readonly Case[] = [
  {
    name: 'memory.fill',
    memories: ['1 2'],
    content: CONTENT,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.fill',
    places: ALONE,
  },
  {
    name: 'memory.fill of a shared memory',
    memories: ['1 2 shared'],
    content: CONTENT,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.fill',
    places: ALONE,
  },
  {
    name: 'memory.fill with 64 bits',
    memories: ['i64 1 2'],
    content: WIDE_CONTENT,
    operands: ['i64', 'i32', 'i64'],
    instruction: 'memory.fill',
    places: ALONE,
  },
  {
    name: 'memory.fill of a second memory',
    memories: ['1 2', '1'],
    content: CONTENT,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.fill 1',
    places: ALONE,
  },
  {
    name: 'memory.copy',
    memories: ['1 2'],
    content: CONTENT,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.copy',
    places: PAIRS,
  },
  {
    name: 'memory.copy with 64 bits',
    memories: ['i64 1 2'],
    content: WIDE_CONTENT,
    operands: ['i64', 'i64', 'i64'],
    instruction: 'memory.copy',
    places: PAIRS,
  },
  {
    name: 'memory.copy between memories',
    memories: ['1 2', '1'],
    content: CONTENT,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.copy 1 0',
    places: PAIRS,
  },
  {
    name: 'memory.copy from 32 to 64 bits',
    memories: ['1', 'i64 1'],
    content: CONTENT,
    operands: ['i64', 'i32', 'i32'],
    instruction: 'memory.copy 1 0',
    places: PAIRS,
  },
  {
    name: 'memory.copy from 64 to 32 bits',
    memories: ['i64 1', '1'],
    content: WIDE_CONTENT,
    operands: ['i32', 'i64', 'i32'],
    instruction: 'memory.copy 1 0',
    places: PAIRS,
  },
  {
    name: 'memory.init',
    memories: ['1'],
    content: `(data $d "${'0123456789'.repeat(4)}") (data "not this one")`,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.init $d',
    places: [
      [0, 0],
      [5, 3],
      [END, 0],
      [END + 1, 0],
      [0, 40],
      [0, 41],
      [0, -1],
      [-1, 0],
    ],
  },
  {
    name: 'memory.init with 64 bits',
    memories: ['i64 1'],
    content: `(data $d "${'0123456789'.repeat(4)}")`,
    operands: ['i64', 'i32', 'i32'],
    instruction: 'memory.init $d',
    places: [
      [0, 0],
      [5, 3],
      [END, 0],
      [END + 1, 0],
      [0, 1],
      [-1, 0],
    ],
  },
  {
    name: 'memory.init from what has been dropped',
    memories: ['1'],
    content: `(data $d "${'0123456789'.repeat(4)}") (func $before (data.drop $d))`,
    operands: ['i32', 'i32', 'i32'],
    instruction: 'memory.init $d',
    places: [
      [0, 0],
      [0, 1],
    ],
  },
];

/** Adds 1000 to what is on the stack before; a trap goes past the handler. @param length a constant, or null for an argument */
function text({ memories, content, operands, instruction }: Case, length: number | null): string {
  const params = operands.map((type) => `(param ${type})`).join(' ');
  const pushed = operands.map((type, i) =>
    i === 2 && length !== null ? `(${type}.const ${length})` : `(local.get ${i})`,
  );
  return `(module
    ${memories.map((type, i) => `(memory (export "memory${i || ''}") ${type})`).join(' ')}
    ${content}
    (func $inner ${params} (result i32) (local $after i32)
      ${content.includes('$before') ? '(call $before)' : ''}
      (local.get 1) ${operands[1] === 'i64' ? 'i32.wrap_i64' : ''}
      ${pushed.join(' ')} ${instruction}
      (local.set $after (i32.const 1000))
      (local.get $after) (i32.add))
    (func (export "run") ${params} (result i32)
      (block $caught
        (return (try_table (result i32) (catch_all $caught) (call $inner (local.get 0) (local.get 1) (local.get 2)))))
      (i32.const -1)))`;
}

const value = (type: 'i32' | 'i64', number: number): number | bigint => (type === 'i64' ? BigInt(number) : number);

/** Runs it with captures between all pieces. @returns how many there were */
function compare(
  bytes: Uint8Array,
  { name, operands }: Case,
  [to, from]: readonly [number, number],
  length: number,
): number {
  const args = [value(operands[0]!, to), value(operands[1]!, from), value(operands[2]!, length)];
  const one = subject(bytes, 'run', args, () => ({}), 'env', PIECE);
  const original = runOriginal(one);
  const captured = runCaptured(one, () => true);
  const uncaptured = runCaptured(one, () => false, false);
  const what = `${name} at ${to}, ${from}, of ${length}: ${original.end}`;
  assert.deepEqual({ ...captured, ticks: 0, captures: 0 }, original, what);
  assert.deepEqual(uncaptured, original, `${what}, uncaptured`);
  const trapped = original.end.startsWith('trap');
  assert.equal(captured.captures, trapped ? 0 : Math.max(Math.ceil(length / PIECE) - 1, 0), what);
  return captured.captures;
}

describe('a bulk instruction in pieces', () => {
  for (const one of CASES) {
    test(one.name, async () => {
      let captures = 0;
      const variable = await moduleBytes(text(one, null));
      const all = [...LENGTHS, 41, PAGE + 1, -1, -6];
      for (const place of one.places) for (const length of all) captures += compare(variable, one, place, length);
      for (const length of LENGTHS) {
        const constant = await moduleBytes(text(one, length));
        for (const place of one.places) captures += compare(constant, one, place, length);
      }
      assert.equal(captures > 0, !one.content.includes('$before'));
    });
  }

  test('the whole range is checked before a byte is written', async () => {
    const bytes = await moduleBytes(text(CASES[0]!, null));
    const one = subject(bytes, 'run', [PAGE - 30, 7, 31], () => ({}), 'env', PIECE);
    const before = subject(bytes, 'run', [0, 0, 0], () => ({}), 'env', PIECE);
    const trapped = runCaptured(one, () => true);
    assert.match(trapped.end, /out of bounds/);
    assert.equal(trapped.memory, runCaptured(before, () => true).memory);
  });
});

test('only what can be longer than a piece makes a function one that can be captured', async () => {
  const module = decodeModule(
    await moduleBytes(`(module (memory 1) (data $short "1234567") (data $long "12345678") (data (i32.const 0) "12345678")
      (func (param i32) (memory.fill (local.get 0) (i32.const 0) (i32.const 7)))
      (func (param i32) (memory.copy (local.get 0) (i32.const 0) (i32.const 7)))
      (func (param i32) (memory.init $short (i32.const 0) (i32.const 0) (local.get 0)))
      (func (param i32) (memory.init $long (i32.const 0) (i32.const 0) (i32.const 7)))
      (func (param i32) (memory.init 2 (i32.const 0) (i32.const 0) (local.get 0)))
      (func (param i32) (memory.fill (local.get 0) (i32.const 0) (i32.const 8)))
      (func (param i32) (memory.copy (local.get 0) (i32.const 0) (local.get 0)))
      (func (param i32) (memory.init $long (i32.const 0) (i32.const 0) (local.get 0)))
      (func (param i32) (memory.fill (i32.const 0) (i32.const 7) (i32.add (local.get 0) (i32.const 7)))))`),
  );
  assert.deepEqual([...analyse(module, PIECE).capturable], [0, 0, 0, 0, 0, 1, 1, 1, 1]);
});

/** What `blocks 400000` prints without Godwit. */
const BLOCKS = '1 rounds of 400000 bytes\nblocks checksum 007f8528f76dbb40\n';

test('a real program moves in the middle of a fill, of copies and of moves', async () => {
  const { bytes } = await fixture('blocks');
  const program = Program.compile(bytes);
  const [size] = program.memories;
  const start = program.exports.find(({ name }) => name === '_start')?.index;
  assert.ok(size !== undefined && start !== undefined);
  let memory = createMemory(size);
  let output = '';
  const shim = wasiShim({
    args: ['blocks', '400000'],
    env: [],
    memory: () => memory,
    stdout: (text) => (output += Buffer.from(text).toString()),
  });
  const fresh = (): Machine => {
    const control = createControl();
    new Int32Array(control.buffer)[0] = 1;
    const imports = { wasi_snapshot_preview1: shim };
    const machine: Machine = new Machine(program, {
      imports,
      memories: [memory],
      control,
      poll: () => machine.unwind(),
    });
    return machine;
  };
  const moved = new Map<string, number>();
  let outcome = fresh().start();
  while (outcome.type === 'captured') {
    const [innermost] = readFrames(outcome.state.frames, program.linker, start);
    const kind = program.numbering.bulkUse(innermost?.index ?? -1)?.kind;
    if (kind !== undefined) moved.set(kind, (moved.get(kind) ?? 0) + 1);
    const state = encodeState(outcome.state);
    memory = copyMemory(memory, size);
    outcome = fresh().resume(decodeState(state));
  }
  assert.equal(output, BLOCKS);
  const polls = (length: number): number => Math.ceil(length / BULK_PIECE) - 1;
  assert.deepEqual(Object.fromEntries(moved), {
    'memory.fill': polls(400_000),
    'memory.copy': polls(400_000) + polls(320_000) + polls(266_667),
  });
});
