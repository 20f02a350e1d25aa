import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALL_NAMES } from '../abi/preview1.ts';
import { signatureOf } from '../abi/signature.ts';
import { decodeModule } from '../wasm/decode.ts';
import { importsOf } from '../wasm/module.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { I32, I64 } from '../wasm/types.ts';
import { PREVIEW1_MODULE } from './imports.ts';
import { type Candidate, refusalOf, requireRunnable } from './runnable.ts';

const types = (names: readonly string[]): number[] => names.map((name) => (name === 'i64' ? I64 : I32));

function candidate(b: ModuleBuilder): Candidate {
  const module = decodeModule(b.build());
  return { imports: importsOf(module), exports: module.exports, module };
}

/** Exports an empty function. Imports have to be made before. */
function exporting(b: ModuleBuilder, name: string, params: readonly number[] = []): ModuleBuilder {
  b.export(name, 'function', b.define(params, [], [], new Uint8Array(0)));
  return b;
}

test('every call of the table may be imported', () => {
  const b = new ModuleBuilder();
  for (const name of CALL_NAMES) {
    const { params, results } = signatureOf(name);
    b.importFunction(PREVIEW1_MODULE, name, types(params), types(results));
  }
  assert.equal(refusalOf(candidate(exporting(b, '_start'))), null);
});

test('every import that there is not is named', () => {
  const b = new ModuleBuilder();
  b.importFunction(PREVIEW1_MODULE, 'fd_write', [I32], []);
  b.importFunction(PREVIEW1_MODULE, 'fd_close', [I32], [I32]);
  b.importFunction(PREVIEW1_MODULE, 'toString', [], []);
  b.importFunction('env', 'fd_close', [I32], [I32]);
  b.importGlobal('env', 'base', I32, false);
  const odd = candidate(exporting(b, '_start'));
  assert.throws(() => requireRunnable('odd.wasm', odd), {
    code: 'unknown_import',
    message:
      'cannot run odd.wasm: it imports what Godwit does not provide: ' +
      'wasi_snapshot_preview1.fd_write as (i32) -> (), which is (i32 i32 i32 i32) -> (i32), ' +
      'wasi_snapshot_preview1.toString, env.fd_close, env.base (a global); ' +
      'build it for wasi_snapshot_preview1',
  });
});

test('of very many imports that there are not, the first are named', () => {
  const b = new ModuleBuilder();
  for (let i = 1; i <= 200; i++) b.importFunction('env', `napi_${i}`, [], []);
  const { reason } = refusalOf(candidate(exporting(b, '_start'))) ?? assert.fail();
  assert.match(
    reason,
    /provide: env\.napi_1, .*, env\.napi_64 and 136 more, which "godwit inspect --json" names; build it for/,
  );
});

test('a library is none, and says what kind it is', () => {
  const fault = (b: ModuleBuilder): string | undefined => refusalOf(candidate(b))?.reason;
  assert.match(fault(exporting(new ModuleBuilder(), 'f')) ?? '', /no function _start, so it is a library; build it as/);
  assert.match(
    fault(exporting(new ModuleBuilder(), '_initialize')) ?? '',
    /so it is a library \("reactor"\); build it/,
  );
  assert.match(fault(exporting(new ModuleBuilder(), '_start', [I32])) ?? '', /its _start has parameters or results/);
});

test('a program that starts threads needs an entry for them', () => {
  const threaded = (params: readonly number[] | null): Candidate => {
    const b = new ModuleBuilder();
    b.importFunction('wasi', 'thread-spawn', [I32], [I32]);
    if (params !== null) exporting(b, 'wasi_thread_start', params);
    return candidate(exporting(b, '_start'));
  };
  const right = threaded([I32, I32]);
  assert.equal(refusalOf(right), null);
  const expected =
    'it starts threads, which need an exported function wasi_thread_start that is (i32 i32) -> (); it exports ';
  for (const [program, reason] of [
    [threaded(null), `${expected}no such function`],
    [threaded([I32]), `${expected}one that is (i32) -> ()`],
    [{ ...right, module: null }, 'it uses garbage collection and starts threads, which cannot be together'],
  ] as const) {
    assert.deepEqual(refusalOf(program), { code: 'not_runnable', reason });
  }
});
