/** Descriptions against what the rewriter says of the same modules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { fixture } from '../../../test/support/build.ts';
import { GodwitError } from '../../base/errors.ts';
import { decodeModule } from '../../wasm/decode.ts';
import { Description } from './describe.ts';
import { rewrite } from '../rewriting/rewrite.ts';

describe('a description', () => {
  for (const name of ['lisp', 'words', 'tail', 'jumps', 'features'] as const) {
    test(`of ${name} has the rewriter's safepoints and frames`, async () => {
      const { bytes } = await fixture(name);
      const { stats } = rewrite(bytes);
      const module = decodeModule(bytes);
      const description = new Description(module);
      const defined = Array.from(module.bodyStarts, (_, body) => description.describe(body + module.importedFunctions));
      const safepoints = defined.flatMap((found) => found.safepoints);
      assert.equal(safepoints.length, stats.sites);
      assert.equal(safepoints.filter(({ kind }) => kind === 'entry' || kind === 'loop').length, stats.polls);
      assert.equal(Math.max(...defined.map(({ frameBytes }) => frameBytes)), stats.largestFrame?.bytes);
      for (const { index, frame, frameBytes, safepoints } of defined) {
        assert.deepEqual(
          safepoints.map(({ site }) => site),
          safepoints.map((_, site) => site),
        );
        const body = index - module.importedFunctions;
        for (const { offset } of safepoints) {
          assert.ok(offset !== null && offset >= module.bodyStarts[body]! && offset < module.bodyEnds[body]!);
        }
        let end = 0;
        for (const { at, size } of frame) {
          assert.equal(at, end);
          end += size;
        }
        assert.equal(end, frameBytes);
      }
    });
  }

  test('shows the continuation of every safepoint, imported functions included', async () => {
    const module = decodeModule((await fixture('throws')).bytes);
    const description = new Description(module);
    for (let index = 0; index < module.functionTypes.length; index++) {
      for (const { site } of description.describe(index).safepoints) {
        const lines = description.continuation(index, site);
        assert.ok(lines.some(({ text }) => text === 'global.set $savePointer'));
      }
    }
  });

  test('tells calls, waits and long bulk instructions apart', async () => {
    const text = `(module (import "m" "f" (func $f)) (memory 1 1 shared)
      (func $all (param i32)
        (call $f)
        (drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0)))
        (memory.fill (local.get 0) (i32.const 0) (i32.const 100))
        (memory.fill (local.get 0) (i32.const 0) (local.get 0))
        (loop)))`;
    const description = new Description(decodeModule(await moduleBytes(text)));
    const { safepoints } = description.describe(description.find('all'));
    assert.deepEqual(
      safepoints.map(({ kind, text: instruction }) => `${kind} ${instruction}`),
      ['call call $f', 'wait memory.atomic.wait32', 'bulk memory.fill', 'loop loop'],
    );
  });

  test('finds functions by index, name and export', async () => {
    const bytes = await moduleBytes('(module (func $a) (func $b (export "c")))');
    const description = new Description(decodeModule(bytes));
    assert.deepEqual(
      ['0', 'a', '$b', 'c'].map((text) => description.find(text)),
      [0, 0, 1, 1],
    );
    for (const text of ['2', 'd', '']) {
      assert.throws(
        () => description.find(text),
        (error) => error instanceof GodwitError && error.code === 'usage',
      );
    }
    assert.throws(() => description.continuation(0, 0), /\$a has no safepoint 0/);
  });

  test('names locals, and what the engine adds', async () => {
    const bytes = await moduleBytes(`(module
      (import "env" "f" (func $f (param i64)))
      (func $g (param $n i64) (result i64) (local.get $n) (call $f (i64.const 1))))`);
    const description = new Description(decodeModule(bytes));
    const { name, type, frame, safepoints } = description.describe(1);
    assert.deepEqual({ name, type }, { name: 'g', type: '(param i64) (result i64)' });
    assert.deepEqual(frame.slice(0, 2), [
      { at: 0, size: 8, type: 'i64', what: '$operand0' },
      { at: 8, size: 4, type: 'u32', what: 'function index' },
    ]);
    assert.deepEqual(
      safepoints.map(({ site, kind, text }) => ({ site, kind, text })),
      [{ site: 0, kind: 'call', text: 'call $f' }],
    );
    const written = new Set(description.rewritten(1).map(({ text }) => text));
    for (const line of ['local.tee $operand0', 'local.get $pc', 'call $wrapped:f', 'call $save.1i64']) {
      assert.ok(written.has(line), line);
    }
  });
});
