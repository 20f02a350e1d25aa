/** Few bytes that ask for tables of gigabytes: refused before V8 makes them, whether they are that large at once or may grow. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../test/spec/text.ts';
import { LIMITS } from '../base/limits.ts';
import { Assembler } from '../capture/code/assembler.ts';
import { prepare } from '../capture/running/prepare.ts';
import { requireFewEntries } from './external-types.ts';
import { readOutline } from './outline.ts';
import { ModuleBuilder } from './testing/builder.ts';

const REFUSED = {
  code: 'limit',
  message: /tables may have \d+ entries in all; 60000000 are the most: give them a maximum/,
};
/** So many tables without a maximum may be. */
const MOST = LIMITS.allTableEntries / LIMITS.tableEntries;

function withTables(count: number, minimum: number, maximum: number | null): Uint8Array {
  const b = new ModuleBuilder();
  for (let i = 0; i < count; i++) b.table(minimum, maximum);
  b.define([], [], [], new Assembler().done());
  return b.build();
}

/** A program with garbage collection, of which Godwit reads the outline alone. */
const collected = (tables: string): Promise<Uint8Array> => moduleBytes(`(module (type (struct)) ${tables})`);

describe('tables that take more than the heap of a thread', () => {
  test('in a module that is rewritten', () => {
    for (const minimum of [0, LIMITS.tableEntries]) {
      assert.throws(() => prepare(withTables(MOST + 1, minimum, null)), REFUSED);
      assert.throws(() => prepare(withTables(MOST + 1, minimum, 2 ** 32 - 1)), REFUSED);
    }
    assert.ok(WebAssembly.validate(prepare(withTables(MOST, 0, null))));
    assert.ok(WebAssembly.validate(prepare(withTables(1000, 0, LIMITS.allTableEntries / 1000))));
  });

  test('in a program with garbage collection', async () => {
    for (const table of [
      '0 funcref',
      '10000000 externref',
      'i64 0 funcref',
      '0 (ref null 0)',
      '0 funcref (ref.null func)',
    ]) {
      const refused = await collected(`(table ${table})`.repeat(MOST + 1));
      assert.throws(() => prepare(refused), REFUSED, table);
      assert.ok(WebAssembly.validate(prepare(await collected(`(table ${table})`.repeat(MOST)))), table);
    }
    assert.ok(WebAssembly.validate(prepare(await collected('(table 1 2 (ref null 0))'.repeat(100)))));
    const imported = readOutline(await collected('(import "env" "t" (table 1 70000000 funcref))'.repeat(MOST + 1)));
    assert.throws(() => requireFewEntries(imported.tableMaxima), REFUSED);
  });
});
