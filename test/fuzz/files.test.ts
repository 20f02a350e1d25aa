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
import { isDeepStrictEqual } from 'node:util';
import { silentLog } from '../../src/base/env.ts';
import { GodwitError } from '../../src/base/errors.ts';
import { SeededRandom } from '../../src/base/virtual.ts';
import { Program } from '../../src/capture/running/program.ts';
import { SqliteStore } from '../../src/cluster/sqlite.ts';
import { foundCluster } from '../../src/cluster/start.ts';
import type { ClusterState } from '../../src/cluster/store.ts';
import { ModuleStore } from '../../src/node/modules/modules.ts';
import { ModuleBuilder } from '../../src/wasm/testing/builder.ts';
import { mutateModule } from './mutate-module.ts';
import { mutateBytes } from './mutate.ts';

/** Each takes some milliseconds of the disk. */
const RUNS = Math.ceil(Number(process.env['GODWIT_FUZZ_RUNS'] ?? 1000) / 20);
/** Of what stands before a cached module. */
const DIGEST_BYTES = 32;
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-fuzz-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** What the user is told of a state that cannot be read. */
const REFUSALS: ReadonlySet<string> = new Set(['corrupt', 'io', 'version_mismatch']);

/** @returns null if it was refused, as it may be */
function opened(file: string): SqliteStore | null {
  try {
    return new SqliteStore(file);
  } catch (error) {
    checkRefusal(file, error);
    return null;
  }
}

/** It names the file and a way out. */
function checkRefusal(file: string, error: unknown): void {
  if (!(error instanceof GodwitError)) throw error;
  assert.ok(REFUSALS.has(error.code), `${error.code}: ${error.message}`);
  assert.ok(error.message.startsWith(`${file}: `), error.message);
  assert.match(error.message, /restore it|choose another --state/);
}

/** @returns null if it was refused, as it may be */
function loaded(store: SqliteStore, file: string): ClusterState | null {
  try {
    return store.load();
  } catch (error) {
    checkRefusal(file, error);
    return null;
  }
}

test(`a state that was changed is read or refused, GODWIT_SEED=${SEED}`, (t) => {
  const random = new SeededRandom(SEED);
  const directory = directoryOf(t);
  const file = path.join(directory, 'node.db');
  const store = new SqliteStore(file);
  foundCluster(store, random, 'first', '127.0.0.1:1');
  const state = store.load();
  assert.notEqual(state.identity, undefined);
  store.close();
  // No Buffer: a slice of one is no copy, and changes of it would be changes of the original.
  const right = Uint8Array.from(readFileSync(file));
  const counts = { same: 0, other: 0, refused: 0 };
  for (let run = 0; run < RUNS; run++) {
    for (const name of readdirSync(directory)) rmSync(path.join(directory, name));
    // The first is as it was written.
    writeFileSync(file, run === 0 ? right : changedState(random, right));
    const known = readState(file);
    if (known === null) counts.refused++;
    else if (isDeepStrictEqual(known, state)) counts.same++;
    else counts.other++;
    if (run === 0) assert.deepEqual(counts, { same: 1, other: 0, refused: 0 });
  }
  t.diagnostic(
    `${RUNS} files: ${counts.same} with what was in them, ${counts.other} with other, ${counts.refused} refused`,
  );
  assert.ok(counts.same > 0 && counts.refused > 1, JSON.stringify(counts));
});

function changedState(random: SeededRandom, right: Uint8Array): Uint8Array {
  // Most other changes are seen at once.
  if (random.below(2) === 0) {
    const changed = right.slice();
    changed[random.below(right.length)]! ^= 1 << random.below(8);
    return changed;
  }
  let changed = right;
  for (let i = random.below(3); i >= 0; i--) changed = mutateBytes(random, changed, right);
  return changed;
}

/** What is read can be written and is read again as it was. @returns null if the file is refused */
function readState(file: string): ClusterState | null {
  const store = opened(file);
  if (store === null) return null;
  let known: ClusterState | null;
  try {
    known = loaded(store, file);
    if (known === null) return null;
    try {
      store.save(known);
    } catch (error) {
      // Pages that reading did not need.
      checkRefusal(file, error);
      return null;
    }
  } finally {
    store.close();
  }
  const again = new SqliteStore(file);
  try {
    assert.deepEqual(again.load(), known);
  } finally {
    again.close();
  }
  return known;
}

test(`a cached module that was changed is made again, GODWIT_SEED=${SEED}`, async (t) => {
  const random = new SeededRandom(SEED);
  const directory = directoryOf(t);
  const b = new ModuleBuilder();
  b.export('_start', 'function', b.define([], [], [], new Uint8Array(0)));
  const bytes = b.build();
  await new ModuleStore(directory, silentLog).loadBytes(bytes);
  const [name = ''] = readdirSync(directory);
  const file = path.join(directory, name);
  const right = Uint8Array.from(readFileSync(file));
  const module = right.slice(DIGEST_BYTES);
  assert.equal(Buffer.compare(right.subarray(0, DIGEST_BYTES), createHash('sha256').update(module).digest()), 0);
  const counts = { changed: 0, taken: 0 };
  // Each that is not taken is made again by a worker.
  for (let run = 0; run < Math.ceil(RUNS / 5); run++) {
    const changed = mutateModule(random, module, module);
    if (Buffer.compare(changed, module) === 0) continue;
    counts.changed++;
    // Half of them with a digest that is right, as another build or a bug could have written them.
    const isWhole = random.below(2) === 1;
    const digest = isWhole ? createHash('sha256').update(changed).digest() : right.subarray(0, DIGEST_BYTES);
    const stored = Buffer.concat([digest, changed]);
    writeFileSync(file, stored);
    const { rewritten } = await new ModuleStore(directory, silentLog).loadBytes(bytes);
    const starts = WebAssembly.Module.exports(rewritten).filter(({ name: exported }) => exported === '_start');
    assert.deepEqual(starts, [{ name: '_start', kind: 'function' }]);
    // What is there afterwards is what is made of the original; only one that is whole, and belongs to it, may stay.
    const left = readFileSync(file);
    if (Buffer.compare(left, right) === 0) continue;
    assert.ok(isWhole && Buffer.compare(left, stored) === 0, `run ${run}: neither made again nor what was stored`);
    assert.ok(WebAssembly.validate(Uint8Array.from(changed)), `run ${run}: it is no module`);
    Program.open(bytes, rewritten);
    counts.taken++;
  }
  t.diagnostic(`${counts.changed} changed modules, ${counts.taken} taken`);
  assert.ok(counts.changed > counts.taken, JSON.stringify(counts));
});
