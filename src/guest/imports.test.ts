import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALL_NAMES } from '../abi/preview1.ts';
import { signatureOf } from '../abi/signature.ts';
import { decodeModule } from '../wasm/decode.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { I32, I64 } from '../wasm/types.ts';
import { importsOf } from '../wasm/module.ts';
import { checkImports, PREVIEW1_MODULE } from './imports.ts';

const types = (names: readonly string[]): number[] => names.map((name) => (name === 'i64' ? I64 : I32));

test('every call of the table may be imported', () => {
  const b = new ModuleBuilder();
  for (const name of CALL_NAMES) {
    const { params, results } = signatureOf(name);
    b.importFunction(PREVIEW1_MODULE, name, types(params), types(results));
  }
  checkImports('all.wasm', importsOf(decodeModule(b.build())));
});

test('every import that there is not is named', () => {
  const b = new ModuleBuilder();
  b.importFunction(PREVIEW1_MODULE, 'fd_write', [I32], []);
  b.importFunction(PREVIEW1_MODULE, 'fd_close', [I32], [I32]);
  b.importFunction(PREVIEW1_MODULE, 'toString', [], []);
  b.importFunction('env', 'fd_close', [I32], [I32]);
  b.importGlobal('env', 'base', I32, false);
  assert.throws(() => checkImports('odd.wasm', importsOf(decodeModule(b.build()))), {
    code: 'unknown_import',
    message:
      'cannot run odd.wasm: it imports what Godwit does not provide: ' +
      'wasi_snapshot_preview1.fd_write as (i32) -> (), which is (i32 i32 i32 i32) -> (i32), ' +
      'wasi_snapshot_preview1.toString, env.fd_close, env.base (a global); ' +
      'build it for wasi_snapshot_preview1',
  });
});
