/** The disassembler against another one, wasm-tools, and against the validator. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { print } from '@bytecodealliance/jco-transpile/wasm-tools';
import fc from 'fast-check';
import { assertSame } from '../base/testing/same.ts';
import { GodwitError } from '../base/errors.ts';
import { moduleBytes } from '../../test/spec/text.ts';
import { fixture } from '../../test/support/build.ts';
import { decodeModule } from './decode.ts';
import { disassemble } from './disassemble.ts';
import { mnemonic } from './mnemonics.ts';
import { IMMEDIATE, immediateOf } from './instructions.ts';
import { OPCODE_COUNT } from './opcodes.ts';
import { FunctionWalker } from './walker.ts';

/** The first word of every instruction that wasm-tools prints, and of every one that the disassembler prints. */
async function instructionNames(bytes: Uint8Array): Promise<{ theirs: string[]; ours: string[] }> {
  const text = await print(bytes);
  const names = text
    .slice(text.indexOf('\n  (func '))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^[a-z]/.test(line))
    .map((line) => line.split(/[\s(;]/)[0]!);
  const module = decodeModule(bytes);
  const walker = new FunctionWalker(module);
  const ours = Array.from(module.bodyStarts).flatMap((_, body) => {
    walker.enter(body + module.importedFunctions);
    const lines = disassemble(bytes, walker.pos, module.bodyEnds[body]!);
    for (const { offset } of lines) {
      walker.step();
      assert.equal(offset, walker.start);
    }
    // The text format does not write the last `end`.
    return lines.slice(0, -1).map((line) => line.text.split(' ')[0]!);
  });
  return { theirs: names, ours };
}

describe('disassembling', () => {
  for (const name of ['lisp', 'simd', 'features', 'throws'] as const) {
    test(`${name} has the instructions that wasm-tools prints`, async () => {
      const { theirs, ours } = await instructionNames(readFileSync((await fixture(name)).path));
      assertSame(ours, theirs, 'our names');
    });
  }

  test('every instruction that the engine takes has a name', () => {
    const nameless = Array.from({ length: OPCODE_COUNT }, (_, opcode) => opcode).filter(
      (opcode) => immediateOf[opcode] !== IMMEDIATE.invalid && mnemonic(opcode) === undefined,
    );
    assert.deepEqual(nameless, []);
  });

  test('immediates', async () => {
    const code = `
      (block (result i32)
        (try_table (result i32) (catch_ref $e 1) (catch_all 1)
          (drop (i64.const -9223372036854775808))
          (drop (f64.const -0))
          (drop (f32.const inf))
          (i32.store offset=8 align=1 (i32.const 0) (i32.const -129))
          (drop (i32.load $second (i32.const 0)))
          (br_table 0 0 (i32.const 5) (i32.const 0)))
        br 0)
      drop
      (drop (select (result funcref) (ref.null func) (ref.func 0) (i32.const 1)))
      (call_indirect (type 0) (i32.const 0))`;
    const bytes = await moduleBytes(`(module
      (type (func)) (memory 1) (memory $second 1) (table 1 funcref) (tag $e (param i32)) (elem declare func 0)
      (func (type 0) (block (result i32 exnref) ${code} unreachable) drop drop))`);
    const { bodyStarts, bodyEnds } = decodeModule(bytes);
    const lines = disassemble(bytes, bodyStarts[0]! + 1, bodyEnds[0]!, (space, index) => `$${space}${index}`);
    const text = lines.map((line) => ' '.repeat(line.depth) + line.text);
    assert.deepEqual(text.slice(2, 20), [
      '  try_table (result i32) (catch_ref $tag0 1) (catch_all 1)',
      '   i64.const -9223372036854775808',
      '   drop',
      '   f64.const -0',
      '   drop',
      '   f32.const inf',
      '   drop',
      '   i32.const 0',
      '   i32.const -129',
      '   i32.store $memory0 offset=8 align=1',
      '   i32.const 0',
      '   i32.load $memory1',
      '   drop',
      '   i32.const 5',
      '   i32.const 0',
      '   br_table 0 0',
      '  end',
      '  br 0',
    ]);
    assert.ok(text.includes(' select (result funcref)'));
    assert.ok(text.includes(' ref.null func'));
    assert.ok(text.includes(' call_indirect $table0 $type0'));
  });

  test('any bytes end as lines or as an error that says where', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          disassemble(bytes, 0, bytes.length);
        } catch (error) {
          assert.ok(error instanceof GodwitError && error.code === 'invalid_module');
        }
      }),
    );
  });
});
