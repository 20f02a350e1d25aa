import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { assertSame } from '../base/testing/same.ts';
import { nodeId } from '../base/ids.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { Message, PeerEvent } from './hosts.ts';
import type { ModuleStore } from './modules.ts';
import { Modules } from './modules.ts';

const HERE = nodeId(1);
const THERE = nodeId(2);

const hashOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

class MemoryStore implements ModuleStore {
  readonly modules = new Map<string, Uint8Array>();
  open = 0;

  add(bytes: Uint8Array): Uint8Array {
    const hash = hashOf(bytes);
    this.modules.set(hash.toHex(), bytes);
    return hash;
  }

  find(module: Uint8Array) {
    const bytes = this.modules.get(module.toHex());
    if (!bytes) return null;
    return { bytes: bytes.length, read: (offset: number, max: number) => bytes.subarray(offset, offset + max) };
  }

  create(module: Uint8Array, size: number) {
    const bytes = new Uint8Array(size);
    let at = 0;
    this.open++;
    return {
      write: (chunk: Uint8Array) => {
        bytes.set(chunk, at);
        at += chunk.length;
      },
      finish: () => {
        this.open--;
        if (hashOf(bytes).toHex() !== module.toHex()) return false;
        this.modules.set(module.toHex(), bytes);
        return true;
      },
      abandon: () => this.open--,
    };
  }
}

/** Two nodes and what is under way between them; a link takes two bulk messages at a time. */
class Pair {
  readonly stores = { [HERE]: new MemoryStore(), [THERE]: new MemoryStore() };
  readonly modules: Record<number, Modules>;
  readonly under: { from: NodeId; to: NodeId; message: Message }[] = [];

  constructor() {
    const network = (from: NodeId, to: NodeId) => ({
      send: (_to: NodeId, message: Message) => this.under.push({ from, to, message }),
      hasRoom: () => this.under.filter((sent) => sent.from === from && 'payload' in sent.message).length < 2,
    });
    this.modules = {
      [HERE]: new Modules(this.stores[HERE] as MemoryStore, network(HERE, THERE)),
      [THERE]: new Modules(this.stores[THERE] as MemoryStore, network(THERE, HERE)),
    };
  }

  at(node: NodeId): Modules {
    return this.modules[node] as Modules;
  }

  step(): void {
    const { from, to, message } = this.under.shift() as (typeof this.under)[number];
    if (message.frame === 'module_ask') this.at(to).ask(from, message);
    if (message.frame === 'module_chunk') this.at(to).chunk(from, message);
    this.at(from).room(to);
  }

  run(): void {
    while (this.under.length > 0) this.step();
  }

  both(event: PeerEvent): void {
    this.under.length = 0;
    this.at(HERE).peer(THERE, event);
    this.at(THERE).peer(HERE, event);
  }
}

const module = new Uint8Array(5 * LIMITS.imageChunkBytes + 77).map((_, i) => i % 251);

function setUp() {
  const pair = new Pair();
  const hash = (pair.stores[THERE] as MemoryStore).add(module);
  const results: (string | null)[] = [];
  const fetch = (wanted = hash): void => pair.at(HERE).fetch(wanted, THERE, (failure) => results.push(failure));
  return { pair, hash, results, fetch, store: pair.stores[HERE] as MemoryStore };
}

test('a module comes whole, once for all who ask', () => {
  const { pair, hash, results, fetch, store } = setUp();
  fetch();
  fetch();
  pair.run();
  assert.deepEqual(results, [null, null]);
  assertSame(store.modules.get(hash.toHex()), module, 'the module');
  assert.equal(store.open, 0);
});

test('after a lost session it goes on from where it is, whenever that happens', () => {
  for (let steps = 0; steps < 8; steps++) {
    const { pair, results, fetch, store } = setUp();
    fetch();
    for (let i = 0; i < steps && pair.under.length > 0; i++) pair.step();
    pair.both('reset');
    pair.run();
    assert.deepEqual(results, [null]);
    assert.equal(store.open, 0);
  }
});

test('a module that is not there, a node that is lost, and wrong bytes are failures, and leave nothing', () => {
  const { pair, hash, results, fetch, store } = setUp();
  fetch(new Uint8Array(32));
  pair.run();
  fetch();
  pair.step();
  pair.step();
  pair.both('restarted');
  pair.run();
  (pair.stores[THERE] as MemoryStore).modules.set(hash.toHex(), module.with(9, 0));
  fetch();
  pair.run();
  assert.deepEqual(results, [
    'node 2 does not have the module',
    'node 2 was lost',
    'the module from node 2 has another hash',
  ]);
  assert.equal(store.open, 0);
  assert.equal(store.modules.size, 0);
});

test('a module that goes away while it is sent is a failure, and is not waited for', () => {
  const { pair, hash, results, fetch, store } = setUp();
  fetch();
  pair.step();
  pair.step();
  (pair.stores[THERE] as MemoryStore).modules.delete(hash.toHex());
  pair.run();
  assert.deepEqual(results, ['node 2 does not have the module']);
  assert.equal(store.open, 0);
});

test('a peer that sends what does not fit is refused', () => {
  const big = BigInt(LIMITS.moduleBytes) + 1n;
  const payload = new Uint8Array(10);
  for (const [total, offset, bytes] of [
    [big, 0n, payload],
    [100n, 1n, payload],
    [9n, 0n, payload],
    [100n, 0n, new Uint8Array()],
  ] as const) {
    const { pair, hash, results, fetch, store } = setUp();
    fetch();
    pair.at(HERE).chunk(THERE, { frame: 'module_chunk', module: hash, total, offset, payload: bytes });
    assert.equal(results.length, 1);
    assert.notEqual(results[0], null);
    assert.equal(store.open, 0);
  }
});
