import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALL_NAMES } from '../abi/preview1.ts';
import { signatureOf } from '../abi/signature.ts';
import { decodeModule } from '../wasm/decode.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { I32, I64 } from '../wasm/types.ts';
import { importsOf } from '../wasm/module.ts';
import { checkImports, checkThreadEntry, PREVIEW1_MODULE, startsThreads } from './imports.ts';

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

test('a program that starts threads needs an entry for them', () => {
  const program = (params: readonly number[] | null) => {
    const b = new ModuleBuilder();
    b.importFunction('wasi', 'thread-spawn', [I32], [I32]);
    if (params !== null) b.export('wasi_thread_start', 'function', b.define(params, [], [], new Uint8Array(0)));
    return decodeModule(b.build());
  };
  const right = program([I32, I32]);
  checkImports('threads.wasm', importsOf(right));
  checkThreadEntry('threads.wasm', right);
  assert.ok(startsThreads(importsOf(right)));
  assert.ok(!startsThreads(importsOf(decodeModule(new ModuleBuilder().build()))));
  const expected =
    'cannot run threads.wasm: it starts threads, which need an exported function wasi_thread_start that is ' +
    '(i32 i32) -> (); it exports ';
  for (const [module, message] of [
    [program(null), `${expected}no such function`],
    [program([I32]), `${expected}one that is (i32) -> ()`],
    [null, 'cannot run threads.wasm: it uses garbage collection and starts threads'],
  ] as const) {
    assert.throws(() => checkThreadEntry('threads.wasm', module), { code: 'not_runnable', message });
  }
});
