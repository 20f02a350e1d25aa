/** The engine as an outside user has it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { moduleBytes } from '../../../test/spec/text.ts';
import { Execution, GodwitError, Program, capture, createControl, resume, rewrite } from '../index.ts';
import type { Embedding, Ended } from '../index.ts';

/** Sums what the host gives, ten times, and keeps the sum in memory too. */
const SUMMING = `(module
  (import "env" "next" (func $next (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $i i32)
    (loop
      (i32.store (i32.const 65532) (i32.add (i32.load (i32.const 65532)) (call $next (local.get $i))))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10)))))
  (func (export "sum") (result i32) (i32.load (i32.const 65532)))
  (func (export "add") (param i32 i64) (result i32 i64) (call $next (local.get 0)) (local.get 1)))`;

const refused = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

function sumOf({ execution }: Ended): unknown {
  const ended = execution.call('sum');
  assert.equal(ended.type, 'returned');
  return ended.type === 'returned' ? ended.value : null;
}

/** Captures each import call the first time that it is made. */
function capturing(seen = new Set<number>()): Embedding {
  return {
    imports: (execution) => ({
      env: {
        next: (i: number) => {
          if (!seen.has(i)) {
            seen.add(i);
            execution.capture();
          }
          return i * i;
        },
      },
    }),
  };
}

/** Waits for 1 ns, for another value than there is, and for ever, and keeps what came of it in memory. */
const WAITING = `(module
  (memory (export "memory") 1 1 shared)
  (func $see (param i32)
    (i32.store (i32.const 16) (i32.add (i32.mul (i32.load (i32.const 16)) (i32.const 10)) (local.get 0))))
  (func (export "_start")
    (call $see (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const 1)))
    (call $see (memory.atomic.wait64 (i32.const 8) (i64.const 5) (i64.const -1)))
    (call $see (i32.add (i32.const 3) (memory.atomic.notify (i32.const 8) (i32.const 1))))
    (call $see (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1)))))`;

describe('an execution', () => {
  test('waits alone: until the time is over, or until it is captured', async () => {
    const program = Program.compile(await moduleBytes(WAITING));
    const control = createControl();
    const execution = new Execution(program, { control });
    const seen = new Int32Array(execution.memory!.buffer, 16, 1);
    capture(control);
    assert.equal(execution.start().type, 'captured');
    assert.equal(seen[0], 0, 'in the first wait');
    const worker = new Worker(
      `const { workerData: { seen, word } } = require('node:worker_threads');
       while (Atomics.load(seen, 0) !== 213);
       Atomics.store(word, 0, 1);
       Atomics.notify(word, 0);`,
      { eval: true, workerData: { seen, word: new Int32Array(control.buffer, 0, 1) } },
    );
    assert.equal(execution.goOn().type, 'captured');
    assert.equal(seen[0], 213, 'in the last wait');
    await once(worker, 'exit');
  });

  test('captured inside imports, each time resumed from bytes', async () => {
    const program = Program.compile(await moduleBytes(SUMMING));
    const seen = new Set<number>();
    let captures = 0;
    let ended = new Execution(program, capturing(seen)).start();
    while (ended.type === 'captured') {
      captures++;
      assert.equal(ended.execution.stays, null);
      ended = resume(program, ended.execution.image(), capturing(seen));
    }
    assert.equal(captures, 10);
    assert.equal(new DataView(ended.execution.memory!.buffer).getInt32(65_532, true), 285);
  });

  test('goes on where it is', async () => {
    const program = Program.compile(await moduleBytes(SUMMING));
    let ended = new Execution(program, capturing()).start();
    while (ended.type === 'captured') {
      assert.throws(() => ended.execution.call('sum'), refused('not_runnable'));
      ended = ended.execution.goOn();
    }
    assert.equal(sumOf(ended), 285);
    assert.throws(() => ended.execution.image(), refused('not_runnable'));
    assert.throws(() => ended.execution.call('no'), refused('not_runnable'));
  });

  test('calls with arguments and results are captured too', async () => {
    const bytes = await moduleBytes(SUMMING);
    const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
    const seen = new Set(Array.from({ length: 10 }, (_, i) => i));
    const execution = new Execution(program, capturing(seen));
    assert.equal(execution.start().type, 'returned');
    let ended = execution.call('add', 12, 34n);
    assert.equal(ended.type, 'captured');
    ended = resume(program, ended.execution.image(), capturing(seen));
    assert.deepEqual(ended.type === 'returned' && ended.value, [144, 34n]);
    assert.equal(sumOf(ended), 285);
  });

  test('captured at a poll that was asked for before it ran', async () => {
    const program = Program.compile(await moduleBytes(SUMMING));
    const embedding: Embedding = { control: createControl(), imports: () => ({ env: { next: (i: number) => i } }) };
    capture(embedding.control!);
    const ended = new Execution(program, embedding).start();
    assert.equal(ended.type, 'captured');
    assert.equal(sumOf(resume(program, ended.execution.image(), embedding)), 45);
  });

  test('captured from another thread', async () => {
    const endless = await moduleBytes(`(module
      (import "env" "goes" (func $goes (param i32) (result i32)))
      (func (export "run") (result i32) (local $i i32)
        (loop
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if 0 (call $goes (local.get $i))))
        (local.get $i)))`);
    const program = Program.compile(endless);
    const control = createControl();
    const code = `
      import { capture } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
      import { workerData } from 'node:worker_threads';
      capture(workerData);`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
    const exit = once(new Worker(url, { workerData: control }), 'exit');
    // Ends only because it is captured.
    let rounds = 0;
    const imports = (goes: number) => (): WebAssembly.Imports => ({
      env: { goes: (i: number) => ((rounds = i), goes) },
    });
    const ended = new Execution(program, { control, entry: 'run', imports: imports(1) }).start();
    assert.equal(ended.type, 'captured');
    const before = rounds;
    const end = resume(program, ended.execution.image(), { imports: imports(0) });
    assert.equal(end.type === 'returned' && end.value, rounds);
    assert.ok(rounds >= before);
    await exit;
  });

  test('with references to host objects it stays', async () => {
    const program = Program.compile(
      await moduleBytes(`(module
        (import "env" "look" (func $look (param externref)))
        (func (export "keep") (param externref) (result externref) (call $look (local.get 0)) (local.get 0)))`),
    );
    let looked = 0;
    const execution = new Execution(program, {
      imports: (self) => ({ env: { look: () => (looked++ === 0 ? self.capture() : undefined) } }),
    });
    execution.start();
    const object = {};
    const ended = execution.call('keep', object);
    assert.equal(ended.type, 'captured');
    assert.equal(execution.stays, 'host_reference');
    assert.throws(() => execution.image(), refused('cannot_move'));
    const end = execution.goOn();
    assert.equal(end.type === 'returned' && end.value, object);
  });

  test('refuses images that are damaged, of another program or too large', async () => {
    const program = Program.compile(await moduleBytes(SUMMING));
    const { execution } = new Execution(program, capturing()).start();
    const image = execution.image();
    for (let at = 0; at < image.length; at += 7) {
      const damaged = image.slice();
      damaged[at]! ^= 0x41;
      assert.throws(() => resume(program, damaged, capturing()), GodwitError, `byte ${at}`);
    }
    assert.throws(() => resume(program, image.subarray(0, -1), capturing()), refused('corrupt'));
    assert.throws(() => resume(program, new Uint8Array(0), capturing()), refused('corrupt'));
    const other = Program.compile(await moduleBytes(SUMMING.replace('10', '11')));
    assert.throws(() => resume(other, image, capturing()), /the image is of another program/);
  });
});
