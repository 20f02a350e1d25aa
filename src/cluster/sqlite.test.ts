import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { nodeId } from '../base/ids.ts';
import { SqliteStore } from './sqlite.ts';
import type { ClusterState } from './store.ts';

const STATE: ClusterState = {
  identity: {
    cluster: 'c0ffee',
    node: nodeId(1),
    founder: nodeId(1),
    key: 'key',
    certificate: 'certificate',
    authority: 'authority',
    authorityKey: null,
  },
  memberList: {
    version: 3n,
    founder: nodeId(1),
    members: [{ node: nodeId(1), name: 'a', address: 'a:1', fingerprint: new Uint8Array(32), boot: 5n, state: 'up' }],
  },
  tokens: [{ id: new Uint8Array(8), secretHash: new Uint8Array(32), expires: 99n, used: null }],
};

function stateFile(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-store-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return path.join(directory, 'cluster.db');
}

test('what is saved is there after a restart, part by part', (t) => {
  const file = stateFile(t);
  let store = new SqliteStore(file);
  assert.deepEqual(store.load(), {});
  store.save(STATE);
  store.save({ tokens: [] });
  store.close();
  store = new SqliteStore(file);
  assert.deepEqual(store.load(), { ...STATE, tokens: [] });
  store.close();
  assert.equal(statSync(file).mode & 0o777, 0o600, 'it holds a key');
});

test('a second daemon on the same state is refused until the first is gone', (t) => {
  const file = stateFile(t);
  const store = new SqliteStore(file);
  assert.throws(() => new SqliteStore(file), { code: 'state_in_use', message: /another godwit daemon/ });
  store.save(STATE);
  store.close();
  new SqliteStore(file).close();
});

test('a file that is no database, is damaged, or of another Godwit is named', (t) => {
  const file = stateFile(t);
  writeFileSync(file, 'this is not a database, and long enough to have a header of 100 bytes'.repeat(3));
  assert.throws(() => new SqliteStore(file), { code: 'corrupt', message: /not a database/ });

  rmSync(file);
  const store = new SqliteStore(file);
  // Enough for several pages.
  store.save({ ...STATE, identity: { ...STATE.identity!, key: 'k'.repeat(60_000) } });
  store.close();
  const bytes = readFileSync(file);
  bytes.fill(0xff, 4096, 8192);
  writeFileSync(file, bytes);
  assert.throws(
    () => {
      const damaged = new SqliteStore(file);
      try {
        damaged.load();
      } finally {
        damaged.close();
      }
    },
    { code: 'corrupt' },
  );

  rmSync(file);
  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 99');
  db.close();
  assert.throws(() => new SqliteStore(file), { code: 'version_mismatch' });
});

test('a part that cannot be read is corrupt', (t) => {
  const file = stateFile(t);
  const store = new SqliteStore(file);
  store.save(STATE);
  store.close();
  const db = new DatabaseSync(file);
  db.exec("UPDATE state SET value = x'00' WHERE part = 'memberList'");
  db.close();
  const again = new SqliteStore(file);
  assert.throws(() => again.load(), { code: 'corrupt', message: /memberList.*: restore it, or remove it/ });
  again.close();
});

test('a full disk is an error, and what was saved before stays', (t) => {
  const file = stateFile(t);
  const store = new SqliteStore(file, { pages: 16 });
  store.save(STATE);
  const big = { ...STATE.identity!, key: 'k'.repeat(65_000) };
  assert.throws(() => store.save({ identity: big, tokens: [] }), {
    code: 'io',
    message: /disk is full: free some of it, or choose/,
  });
  assert.deepEqual(store.load(), STATE);
  store.save({ tokens: [] });
  store.close();
});

test('a directory that does not exist is named', (t) => {
  const file = path.join(stateFile(t), 'no', 'such');
  assert.throws(() => new SqliteStore(file), { code: 'io', message: /such: ENOENT: choose another --state$/ });
});
