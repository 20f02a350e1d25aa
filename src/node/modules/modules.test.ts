import assert from 'node:assert/strict';
import { hash as hashOf } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { assertSame } from '../../base/testing/same.ts';
import { silentLog } from '../../base/env.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { ModuleStore } from './modules.ts';

function original(): { readonly bytes: Uint8Array; readonly hash: string } {
  const b = new ModuleBuilder();
  b.export('_start', 'function', b.define([], [], [], new Uint8Array(0)));
  const bytes = b.build();
  return { bytes, hash: hashOf('sha256', bytes, 'hex') };
}

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-modules-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('an original that was kept is found by another store of the same directory', async (t) => {
  const directory = directoryOf(t);
  const { bytes, hash } = original();
  const first = new ModuleStore(directory, silentLog);
  assert.equal(await first.loadKept(hash), null, 'nothing is kept unasked');
  first.keep(hash, bytes);
  const module = await new ModuleStore(directory, silentLog).loadKept(hash);
  assert.equal(module?.hash, hash);
  assertSame(module.original.slice(), Uint8Array.from(bytes), 'the module');
  assert.ok(
    readdirSync(directory).every((name) => name.endsWith('.wasm')),
    'no file is left half written',
  );
});

test('an original that is not what its name says is not used, and removed', async (t) => {
  const directory = directoryOf(t);
  const { bytes, hash } = original();
  const store = new ModuleStore(directory, silentLog);
  store.keep(hash, bytes);
  const [file = ''] = readdirSync(directory).map((name) => path.join(directory, name));
  const damaged = readFileSync(file);
  damaged[damaged.length - 1]! ^= 1;
  writeFileSync(file, damaged);
  assert.equal(await store.loadKept(hash), null);
  assert.deepEqual(readdirSync(directory), []);
});

/** The one rewritten module in a directory. */
function cached(directory: string): string {
  const [name = ''] = readdirSync(directory);
  return path.join(directory, name);
}

test('a cached module that is damaged, or of another build, is made again', async (t) => {
  const [directory, elsewhere] = [directoryOf(t), directoryOf(t)];
  const { bytes, hash } = original();
  await new ModuleStore(directory, silentLog).loadBytes(bytes);
  const right = readFileSync(cached(directory));
  const b = new ModuleBuilder();
  b.export('_start', 'function', b.define([], [], [], new Uint8Array(0)));
  b.define([], [], [], new Uint8Array(0));
  await new ModuleStore(elsewhere, silentLog).loadBytes(b.build());
  const damaged = Buffer.from(right);
  damaged[damaged.length - 1]! ^= 1;
  for (const wrong of [damaged, right.subarray(0, 10), readFileSync(cached(elsewhere))]) {
    writeFileSync(cached(directory), wrong);
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
    assert.equal((await new ModuleStore(directory, log).loadBytes(bytes)).hash, hash);
    assert.deepEqual(warnings, ['a cached module failed its check and is made again']);
    assertSame(readFileSync(cached(directory)), right, 'the cached module');
  }
});
