/** Names that a program cannot have, since modules as they are run have them for the engine. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { GodwitError } from '../../base/errors.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { prepare } from '../running/prepare.ts';

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof GodwitError && error.code === 'not_runnable' && message.test(error.message);

describe('names of the engine', () => {
  const imports = {
    function: '(import "godwit" "hello" (func))',
    table: '(import "godwit" "hello" (table 1 funcref))',
    global: '(import "godwit" "hello" (global i32))',
    tag: '(import "godwit" "hello" (tag))',
  };
  for (const [kind, text] of Object.entries(imports)) {
    test(`a ${kind} from a module named godwit is refused`, async () => {
      const bytes = await moduleBytes(`(module (import "env" "tick" (func)) ${text})`);
      const message = new RegExp(`^it imports the ${kind} "hello" from "godwit", a module that Godwit reserves$`);
      assert.throws(() => rewrite(bytes), refused(message));
      assert.throws(() => prepare(bytes), refused(message));
    });
  }

  test('also in a program that stays', async () => {
    const bytes = await moduleBytes('(module (type (struct)) (import "godwit" "hello" (func)))');
    assert.throws(() => prepare(bytes), refused(/from "godwit"/));
  });

  test('a memory may come from there, and other modules may be named alike', async () => {
    const bytes = await moduleBytes(
      '(module (import "godwit" "control" (memory 1)) (import "godwit2" "f" (func)) (export "godwit" (func 0)))',
    );
    assert.ok(WebAssembly.validate(rewrite(bytes).module));
  });

  test('an export named like one of the engine is refused', async () => {
    const bytes = await moduleBytes('(module (func (export "godwit:unwind")))');
    assert.throws(() => rewrite(bytes), refused(/^it exports "godwit:unwind"/));
  });
});
