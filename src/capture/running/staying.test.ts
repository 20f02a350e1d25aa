/** Programs with garbage collection: run, with nothing of them changed but their memories. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { moduleBytes } from '../../../test/spec/text.ts';
import { GodwitError } from '../../base/errors.ts';
import { readOutline } from '../../wasm/outline.ts';
import { createMemory } from '../layout/memory.ts';
import { openProgram, prepare } from './prepare.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { StayingMachine, StayingProgram, shareMemories } from './staying.ts';

const TEXT = `(module $named
  (rec (type $a (sub (struct (field i8) (field (mut (ref null $b)))))) (type $b (array (mut i16))))
  (type $c (sub final $a (struct (field i8) (field (mut (ref null $b))) (field (ref any)))))
  (type $f (func (param i32) (result i64)))
  (import "env" "told" (func $told (param i32)))
  (import "env" "memory" (memory $imported 2 3))
  (import "env" "object" (global $object (ref any)))
  (memory $own (export "memory") 1)
  (table 3 anyref)
  (tag $e (param i32))
  (elem (i32.const 0) anyref (item (ref.i31 (i32.const 7))) (item (struct.new $a (i32.const 1) (ref.null $b))))
  (data (memory $own) (i32.const 8) "\\07")
  (func $start (call $told (i32.const 5)))
  (start $start)
  (func $trap (drop (ref.cast (ref $a) (ref.null none))))
  (func (export "_start")
    (call $told (i31.get_s (ref.cast (ref i31) (table.get (i32.const 0)))))
    (call $told (i32.load8_u $own (i32.const 8)))
    (i32.store8 $imported (i32.const 65536) (i32.const 9))
    (call $trap))
  (func (export "leave")
    (block (try_table (catch_all 0) (call $told (i32.const -1))))
    (call $told (i32.const 99)))
  (func (export "throw") (throw $e (i32.const 1))))`;

async function start(entry: string) {
  const bytes = await moduleBytes(TEXT);
  const program = openProgram(bytes, new WebAssembly.Module(prepare(bytes)));
  assert.ok(program instanceof StayingProgram);
  const memories = program.memories.map(createMemory);
  const told: number[] = [];
  const machine: StayingMachine = new StayingMachine(program, {
    imports: {
      env: {
        object: {},
        told(n: number) {
          if (n < 0) machine.leave(new Error('left'));
          told.push(n);
        },
      },
    },
    memories,
  });
  machine.prepare();
  let error: unknown;
  try {
    machine.start(entry);
  } catch (thrown) {
    error = thrown;
  }
  return { bytes, program, memories, told, machine, error };
}

test('a program with a function too large to be made movable runs, and says why it stays', async () => {
  const locals = 'i32 '.repeat(49_990);
  const text = (memory: string) => `(module
    (import "env" "tell" (func $tell (param i32)))
    ${memory}
    (func (export "_start") (local ${locals})
      (loop $again
        (call $tell (local.get 49989))
        (local.set 49989 (i32.add (local.get 49989) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get 49989) (i32.const 2))))))`;
  const bytes = await moduleBytes(text(''));
  assert.throws(() => rewrite(bytes), { code: 'limit', message: /49991 locals/ });
  const program = openProgram(bytes, new WebAssembly.Module(prepare(bytes)));
  assert.ok(program instanceof StayingProgram);
  assert.equal(program.reason, 'large_function');
  const told: number[] = [];
  const imports = { env: { tell: (n: number) => told.push(n) } };
  assert.equal(new StayingMachine(program, { imports, memories: [] }).start().type, 'returned');
  assert.deepEqual(told, [0, 1]);
  const threaded = await moduleBytes(text('(memory 1 2 shared)'));
  assert.throws(() => prepare(threaded), {
    code: 'unsupported_feature',
    message: /threads \(with a function too large/,
  });
});

test('stack switching is refused by its name', () => {
  // (type (func)) (type (cont 0)), alone and in a group with a structure.
  const types = [
    [0x01, 0x06, 0x02, 0x60, 0x00, 0x00, 0x5d, 0x00],
    [0x01, 0x0a, 0x02, 0x60, 0x00, 0x00, 0x4e, 0x02, 0x5f, 0x00, 0x5d, 0x00],
  ];
  for (const section of types) {
    const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section);
    assert.throws(() => prepare(bytes), { code: 'unsupported_feature', message: /stack switching/ });
  }
});

describe('a program with garbage collection', () => {
  test('is refused by the rewriter, and says why it stays', async () => {
    const bytes = await moduleBytes(TEXT);
    assert.throws(() => rewrite(bytes), { code: 'unsupported_feature', message: /garbage collection/ });
    assert.equal(openProgram(bytes, new WebAssembly.Module(prepare(bytes))).reason, 'gc_heap');
  });

  test('runs on shared memories, and traps where the original does', async () => {
    const { bytes, program, memories, told, error } = await start('_start');
    assert.deepEqual(told, [5, 7, 7]);
    assert.deepEqual(
      memories.map(({ buffer }) => [buffer instanceof SharedArrayBuffer, buffer.byteLength]),
      [
        [true, 131_072],
        [true, 65_536],
      ],
    );
    assert.equal(new Uint8Array(memories[0]!.buffer)[65_536], 9);
    assert.ok(error instanceof WebAssembly.RuntimeError);
    const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { object: {}, told: () => {}, memory: new WebAssembly.Memory({ initial: 2, maximum: 3 }) },
    });
    const original = await new Promise<Error>((resolve) => {
      try {
        (plain.exports['_start'] as () => void)();
      } catch (thrown) {
        resolve(thrown as Error);
      }
    });
    const wanted = Array.from((original.stack ?? '').matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g), (found) => ({
      index: Number(found[1]),
      offset: Number.parseInt(found[2]!, 16),
    }));
    assert.deepEqual(
      program.locate(error).map(({ index, offset }) => ({ index, offset })),
      wanted,
    );
    assert.equal(program.locate(error)[0]?.name, 'trap');
  });

  test('ends when its host says so, whatever it catches', async () => {
    const { told, error } = await start('leave');
    assert.deepEqual(told, [5]);
    assert.equal((error as Error).message, 'left');
  });

  test('with an exception that nobody catches', async () => {
    const { machine, error } = await start('throw');
    assert.equal(machine.explain(error), 'uncaught exception');
    assert.equal(machine.explain(new Error('another')), null);
  });

  test('is not taken for another one', async () => {
    const bytes = await moduleBytes(TEXT);
    const prepared = new WebAssembly.Module(shareMemories(bytes, 'gc_heap'));
    assert.throws(() => openProgram(bytes.slice(1), prepared), { code: 'corrupt' });
  });

  test('without imports and memories', async () => {
    const bytes = await moduleBytes('(module (type (struct)) (func (export "_start")))');
    const program = openProgram(bytes, new WebAssembly.Module(prepare(bytes)));
    assert.ok(program instanceof StayingProgram);
    assert.equal(new StayingMachine(program, { imports: {}, memories: [] }).start().type, 'returned');
  });

  test('hints for V8 are left out, other custom sections kept', async () => {
    const bytes = await moduleBytes('(module (type (struct)) (func (export "_start")))');
    const section = (name: string): number[] => [0, name.length + 3, name.length, ...Buffer.from(name), 1, 2];
    const more = Uint8Array.from([...bytes, ...section('metadata.code.instr_freq'), ...section('producers')]);
    const shared = readOutline(shareMemories(more, 'gc_heap'));
    assert.deepEqual(
      shared.customs.map(({ name }) => name).filter((name) => !name.startsWith('godwit')),
      ['producers'],
    );
  });

  test('outlines of any bytes are read or refused', async () => {
    const bytes = await moduleBytes(TEXT);
    const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, (list) => {
        const changed = bytes.slice();
        for (const [at, value] of list) changed[at] = value;
        try {
          readOutline(changed);
          WebAssembly.validate(shareMemories(changed, 'gc_heap'));
        } catch (error) {
          assert.ok(error instanceof GodwitError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
