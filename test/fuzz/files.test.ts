/**
 * Files that Godwit itself has written, and something else has changed since: the state of a node and its cache of
 * rewritten modules. GODWIT_FUZZ_RUNS says how many changes are tried; GODWIT_SEED which ones.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../src/base/env.ts';
import { GodwitError } from '../../src/base/errors.ts';
import { SeededRandom } from '../../src/base/virtual.ts';
import { SqliteStore } from '../../src/cluster/sqlite.ts';
import { foundCluster } from '../../src/cluster/start.ts';
import { ModuleStore } from '../../src/node/modules.ts';
import { ModuleBuilder } from '../../src/wasm/testing/builder.ts';
import { mutateModule } from './mutate-module.ts';
import { mutateBytes } from './mutate.ts';

/** Each takes some milliseconds of the disk. */
const RUNS = Math.ceil(Number(process.env['GODWIT_FUZZ_RUNS'] ?? 1000) / 20);
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-fuzz-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test(`a state that was changed is read or refused, GODWIT_SEED=${SEED}`, (t) => {
  const random = new SeededRandom(SEED);
  const directory = directoryOf(t);
  const file = path.join(directory, 'node.db');
  const store = new SqliteStore(file);
  const identity = foundCluster(store, random, 'first', '127.0.0.1:1');
  store.close();
  const right = readFileSync(file);
  let read = 0;
  for (let run = 0; run < RUNS; run++) {
    for (const name of readdirSync(directory)) rmSync(path.join(directory, name));
    let changed: Uint8Array = right;
    for (let i = random.below(3); i >= 0; i--) changed = mutateBytes(random, changed, right);
    // Most other changes are seen at once.
    if (random.below(2) === 0) {
      changed = right.slice();
      changed[random.below(right.length)]! ^= 1 << random.below(8);
    }
    writeFileSync(file, changed);
    try {
      const again = new SqliteStore(file);
      try {
        const known = again.load().identity;
        // What is there at all is of the right form; an unchanged one is whole.
        if (known !== undefined) assert.equal(typeof known.cluster, typeof identity.cluster);
        again.save({ tokens: [] });
        read++;
      } finally {
        again.close();
      }
    } catch (error) {
      if (!(error instanceof GodwitError)) throw error;
    }
  }
  t.diagnostic(`${RUNS} files, ${read} of them read`);
});

test(`a cached module that was changed is made again, GODWIT_SEED=${SEED}`, async (t) => {
  const random = new SeededRandom(SEED);
  const directory = directoryOf(t);
  const b = new ModuleBuilder();
  b.export('_start', 'function', b.define([], [], [], new Uint8Array(0)));
  const bytes = b.build();
  await new ModuleStore(directory, silentLog).loadBytes(bytes);
  const [name = ''] = readdirSync(directory);
  const file = path.join(directory, name);
  const right = readFileSync(file);
  // Each that is not taken is made again by a worker.
  for (let run = 0; run < Math.ceil(RUNS / 5); run++) {
    const module = right.subarray(32);
    const changed = mutateModule(random, module, module);
    // Half of them with a digest that is right, as another build or a bug could have written them.
    const digest = random.below(2) === 0 ? right.subarray(0, 32) : createHash('sha256').update(changed).digest();
    writeFileSync(file, Buffer.concat([digest, changed]));
    const loaded = await new ModuleStore(directory, silentLog).loadBytes(bytes);
    assert.deepEqual(
      WebAssembly.Module.exports(loaded.rewritten).filter(({ name: exported }) => exported === '_start').length,
      1,
    );
  }
});
