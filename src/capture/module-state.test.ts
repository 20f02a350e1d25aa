/**
 * What a module has besides its code: tables, segments, globals, tags, the start function, exports, custom sections. Each
 * program calls `pause` where something is to be seen on both sides of a capture; it is captured there and resumed from
 * bytes in a fresh instance, and has to tell and return what it does uncaptured.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../test/spec/text.ts';
import { functionName } from '../wasm/names.ts';
import { decodeModule } from '../wasm/decode.ts';
import { Execution, Program, locate, resume, rewrite } from './index.ts';
import type { Embedding, Ended } from './index.ts';

const PRELUDE = `
  (import "env" "pause" (func $pause))
  (import "env" "tell" (func $tell (param i32)))
  (type $give (func (result i32)))
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func $three (result i32) (i32.const 3))`;

interface Told {
  readonly told: readonly number[];
  readonly value: unknown;
}

type Values = WebAssembly.ModuleImports;

function original(bytes: Uint8Array<ArrayBuffer>, more: () => Values): Told {
  const told: number[] = [];
  const env = { ...more(), pause: () => {}, tell: (n: number) => void told.push(n) };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
  return { told, value: valueOf(() => (exports['run'] as () => unknown)()) };
}

/** `tell` is noted; of two calls of `pause` at one place the first captures, and the second goes on. */
function telling(more: () => Values): { embedding: Required<Pick<Embedding, 'entry' | 'imports'>>; told: number[] } {
  const told: number[] = [];
  let again = false;
  const pause = (execution: Execution): void => {
    again = !again;
    if (again) execution.capture();
  };
  const imports = (execution: Execution): WebAssembly.Imports => ({
    env: { ...more(), tell: (n: number) => void told.push(n), pause: () => pause(execution) },
  });
  return { embedding: { entry: 'run', imports }, told };
}

function captured(bytes: Uint8Array, more: () => Values): Told & { captures: number; last: Execution } {
  const program = Program.compile(bytes);
  const { embedding, told } = telling(more);
  let captures = 0;
  let last = new Execution(program, embedding);
  const value = valueOf(() => {
    let ended: Ended = last.start();
    while (ended.type === 'captured') {
      captures++;
      ended = resume(program, ended.execution.image(), {
        ...embedding,
        imports: (execution) => {
          last = execution;
          return embedding.imports(execution);
        },
      });
    }
    return ended.value;
  });
  return { told, value, captures, last };
}

/** A trap is a result too. */
function valueOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return error.message;
    throw error;
  }
}

const CASES: Readonly<Record<string, readonly [text: string, captures: number]>> = {
  'table.set, grow, fill and copy': [
    `(table $t 4 20 funcref)
    (table $wide i64 2 funcref)
    (elem declare func $one $two $three)
    (func (export "run") (result i32)
      (table.set $t (i32.const 0) (ref.func $three))
      (call $pause)
      (call $tell (table.grow $t (ref.func $one) (i32.const 3)))
      (table.fill $t (i32.const 1) (ref.func $two) (i32.const 2))
      (call $pause)
      (table.copy $t $t (i32.const 3) (i32.const 0) (i32.const 2))
      (table.set $wide (i64.const 1) (table.get $t (i32.const 0)))
      (call $pause)
      (call $tell (table.size $t))
      (call $tell (call_indirect $t (type $give) (i32.const 3)))
      (call $tell (call_indirect $t (type $give) (i32.const 4)))
      (call $tell (call_indirect $t (type $give) (i32.const 6)))
      (call $tell (call_indirect $wide (type $give) (i64.const 1)))
      (ref.is_null (table.get $t (i32.const 20))))`,
    3,
  ],
  'tables that one instruction alone changes': [
    `(table $set 1 funcref)
    (table $grow 1 9 funcref)
    (table $fill 2 funcref)
    (table $copy 1 funcref)
    (table $init 1 funcref)
    (table $from 1 funcref)
    (elem (table $from) (i32.const 0) func $two)
    (elem $passive func $three)
    (elem declare func $one $two)
    (func (export "run") (result i32)
      (table.set $set (i32.const 0) (ref.func $one))
      (drop (table.grow $grow (ref.func $two) (i32.const 2)))
      (table.fill $fill (i32.const 0) (ref.func $one) (i32.const 2))
      (table.copy $copy $from (i32.const 0) (i32.const 0) (i32.const 1))
      (table.init $init $passive (i32.const 0) (i32.const 0) (i32.const 1))
      (call $pause)
      (call $tell (call_indirect $set (type $give) (i32.const 0)))
      (call $tell (table.size $grow))
      (call $tell (call_indirect $grow (type $give) (i32.const 2)))
      (call $tell (call_indirect $fill (type $give) (i32.const 1)))
      (call $tell (call_indirect $copy (type $give) (i32.const 0)))
      (call_indirect $init (type $give) (i32.const 0)))`,
    1,
  ],
  'a declared element segment has no entries': [
    `(table $t 1 funcref)
    (elem $declared declare func $one)
    (func (export "run") (result i32)
      (call $pause)
      (table.init $t $declared (i32.const 0) (i32.const 0) (i32.const 0))
      (call $tell (i32.const 1))
      (table.init $t $declared (i32.const 0) (i32.const 0) (i32.const 1))
      (i32.const 0))`,
    1,
  ],
  'passive, dropped and declared element segments': [
    `(table $t 6 funcref)
    (elem $active (table $t) (i32.const 0) func $one $two)
    (elem $passive func $two $three)
    (elem $late funcref (item (ref.func $three)) (item (ref.null func)))
    (elem declare func $one)
    (func (export "run") (result i32)
      (call $pause)
      (table.init $t $passive (i32.const 2) (i32.const 0) (i32.const 2))
      (elem.drop $passive)
      (call $pause)
      (table.init $t $late (i32.const 4) (i32.const 0) (i32.const 2))
      (call $tell (call_indirect $t (type $give) (i32.const 1)))
      (call $tell (call_indirect $t (type $give) (i32.const 3)))
      (call $tell (call_indirect $t (type $give) (i32.const 4)))
      (call $tell (ref.is_null (table.get $t (i32.const 5))))
      (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 0))
      (table.init $t $active (i32.const 0) (i32.const 0) (i32.const 0))
      (call $pause)
      (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 1))
      (i32.const 0))`,
    3,
  ],
  'an active element segment is gone behind a resume, too': [
    `(table $t 2 funcref)
    (elem $active (table $t) (i32.const 0) func $one $two)
    (func (export "run") (result i32)
      (call $pause)
      (table.init $t $active (i32.const 0) (i32.const 0) (i32.const 1))
      (i32.const 0))`,
    1,
  ],
  'passive, dropped and active data segments': [
    `(memory (export "memory") 1 9)
    (data $active (i32.const 16) "abc")
    (data $passive "defg")
    (data $late "hi")
    (func (export "run") (result i32)
      (i32.store8 (i32.const 17) (i32.const 120))
      (call $pause)
      (memory.init $passive (i32.const 32) (i32.const 1) (i32.const 3))
      (data.drop $passive)
      (call $tell (memory.grow (i32.const 2)))
      (call $pause)
      (memory.init $late (i32.const 131072) (i32.const 0) (i32.const 2))
      (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 0))
      (call $tell (i32.load (i32.const 16)))
      (call $tell (i32.load (i32.const 32)))
      (call $tell (i32.load (i32.const 131072)))
      (call $tell (memory.size))
      (call $pause)
      (memory.init $active (i32.const 0) (i32.const 0) (i32.const 1))
      (i32.const 0))`,
    3,
  ],
  'constant expressions that calculate': [
    `(global $three i32 (i32.add (i32.const 1) (i32.const 2)))
    (global $twelve i32 (i32.mul (global.get $three) (i32.const 4)))
    (global $wide (mut i64) (i64.sub (i64.mul (i64.const 5) (i64.const 6)) (i64.add (i64.const 1) (i64.const 2))))
    (memory (export "memory") 1)
    (data (offset (i32.sub (i32.mul (global.get $three) (i32.const 100)) (i32.const 44))) "abc")
    (table $t 8 funcref)
    (elem (table $t) (offset (i32.sub (global.get $twelve) (i32.const 7))) func $one $two)
    (func (export "run") (result i32 i64 i32)
      (call $tell (i32.load8_u (i32.const 256)))
      (call $tell (call_indirect $t (type $give) (i32.const 6)))
      (call $pause)
      (global.set $wide (i64.add (global.get $wide) (i64.const 100)))
      (call $pause)
      (call $tell (i32.load8_u (i32.const 258)))
      (call $tell (call_indirect $t (type $give) (i32.const 5)))
      (global.get $twelve) (global.get $wide) (global.get $three))`,
    2,
  ],
  'the start function, once': [
    `(memory (export "memory") 1)
    (global $count (mut i32) (i32.const 10))
    (start $start)
    (func $start
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (call $pause)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 5)))
      (call $pause)
      (call $tell (global.get $count)))
    (func (export "run") (result i32) (call $pause) (i32.add (global.get $count) (i32.load (i32.const 0))))`,
    3,
  ],
  'globals of all kinds, exported and not': [
    `(global $a (export "a") (mut i32) (i32.const 1))
    (global $b (mut i64) (i64.const 2))
    (global $c (export "c") (mut f64) (f64.const 0.5))
    (global $d (mut v128) (v128.const i32x4 1 2 3 4))
    (global $e (export "e") i32 (i32.const 77))
    (global $f (export "f") (mut funcref) (ref.func $one))
    (func (export "run") (result i32 i64 f64 i32 i32 i32)
      (global.set $a (i32.const 11))
      (global.set $b (i64.const -12))
      (call $pause)
      (global.set $c (f64.const 13.25))
      (global.set $d (i32x4.add (global.get $d) (global.get $d)))
      (call $pause)
      (global.get $a) (global.get $b) (global.get $c)
      (i32x4.extract_lane 3 (global.get $d))
      (global.get $e)
      (ref.is_null (global.get $f)))`,
    2,
  ],
};

describe('captured and resumed', () => {
  for (const [name, [text, captures]] of Object.entries(CASES)) {
    test(name, async () => {
      const bytes = await moduleBytes(`(module ${PRELUDE} ${text})`);
      const expected = original(bytes, () => ({}));
      const found = captured(bytes, () => ({}));
      assert.deepEqual({ told: found.told, value: found.value }, expected);
      assert.equal(found.captures, captures);
    });
  }

  test('tags, imported and exported: the host throws and catches', async () => {
    const bytes = await moduleBytes(`(module
      (import "env" "given" (tag $given (param i32)))
      (import "env" "throws" (func $throws))
      ${PRELUDE}
      (tag $own (export "own") (param i32 i64))
      (func (export "run") (result i32)
        (local $caught exnref)
        (call $pause)
        (block $value (result i32 exnref)
          (try_table (catch_ref $given $value) (call $throws))
          unreachable)
        (local.set $caught)
        (call $tell)
        (call $pause)
        (block $again (result i32)
          (try_table (catch $given $again) (throw_ref (local.get $caught)))
          unreachable)
        (call $tell)
        (throw $own (i32.const 7) (i64.const 8))))`);
    const given = new WebAssembly.Tag({ parameters: ['i32'] });
    const more = (): Values => ({
      given,
      throws() {
        throw new WebAssembly.Exception(given, [42]);
      },
    });
    const { embedding, told } = telling(more);
    const program = Program.compile(bytes);
    let ended = new Execution(program, embedding).start();
    assert.equal(ended.type, 'captured');
    ended = resume(program, ended.execution.image(), embedding);
    assert.equal(ended.type, 'captured');
    let last: Execution | null = null;
    const image = ended.execution.image();
    assert.throws(
      () => resume(program, image, { ...embedding, imports: (execution) => embedding.imports((last = execution)) }),
      (error) => {
        const own = last!.exports['own'] as WebAssembly.Tag;
        assert.ok(error instanceof WebAssembly.Exception && error.is(own));
        assert.deepEqual([error.getArg(own, 0), error.getArg(own, 1)], [7, 8n]);
        return true;
      },
    );
    assert.deepEqual(told, [42, 42]);
  });

  test('exports show what the program has', async () => {
    const bytes = await moduleBytes(`(module ${PRELUDE}
      (memory (export "memory") 1)
      (table (export "table") 2 funcref)
      (elem (i32.const 0) func $one)
      (global $count (export "count") (mut i32) (i32.const 1))
      (export "tell" (func $tell))
      (func (export "run") (global.set $count (i32.const 5)) (call $pause)))`);
    const { last, told } = captured(bytes, () => ({}));
    const { memory, table, count, tell } = last.exports;
    assert.equal(memory, last.memory);
    assert.equal(((table as WebAssembly.Table).get(0) as () => number)(), 1);
    assert.equal((count as WebAssembly.Global).value, 5);
    (tell as (n: number) => void)(6);
    assert.deepEqual(told, [6]);
  });
});

describe('custom sections', () => {
  const text = `(module $prog
    (func $helper (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
    (func $main (export "_start") (loop) (drop (call $helper)))
    (@custom "producers" "who")
    (@custom "mine" (before code) "kept")
    (@custom ".debug_info" "dwarf")
    (@custom "sourceMappingURL" "map"))`;

  test('names and what the engine does not know are kept; what refers to code offsets is left out, and named', async () => {
    const bytes = await moduleBytes(text);
    const { module, stats } = rewrite(bytes);
    const sections = new WebAssembly.Module(module);
    const content = (name: string): string[] =>
      WebAssembly.Module.customSections(sections, name).map((section) => Buffer.from(section).toString());
    assert.deepEqual([content('producers'), content('mine')], [['who'], ['kept']]);
    assert.deepEqual([content('.debug_info'), content('sourceMappingURL')], [[], []]);
    assert.deepEqual(stats.droppedSections, ['.debug_info', 'sourceMappingURL']);
    const [names] = WebAssembly.Module.customSections(sections, 'name');
    const [before] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'name');
    assert.deepEqual(names, before);
    assert.equal(functionName(decodeModule(bytes), 1), 'main');
  });

  test('so a trap has names', async () => {
    const program = Program.compile(await moduleBytes(text));
    assert.throws(
      () => new Execution(program).start(),
      (error) => {
        assert.deepEqual(
          locate(program, error as Error).map(({ name }) => name),
          ['helper', 'main'],
        );
        return true;
      },
    );
  });
});
