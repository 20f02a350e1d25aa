/**
 * Modules by hash: a destination that lacks a process's module gets it from the process's home. Both sides of that.
 * A transfer survives a lost session: the asking side asks again, from where it is.
 */
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named } from '../link/frames/process.ts';
import type { Network, PeerEvent } from './hosts.ts';

/** Module files of this node, named by the SHA-256 of their bytes. */
export interface ModuleStore {
  /** A module that is here, or null. @returns its length, and a reader of 1 to `max` bytes from `offset` on */
  find(module: Uint8Array): { readonly bytes: number; read(offset: number, max: number): Uint8Array } | null;
  /** A place for a module that comes, of so many bytes. */
  create(module: Uint8Array, bytes: number): IncomingModule;
}

export interface IncomingModule {
  /** The next bytes; the view is only valid during the call. */
  write(chunk: Uint8Array): void;
  /** All bytes are there. @returns whether they have the hash that they were asked by; then the module is kept */
  finish(): boolean;
  /** Forget it. */
  abandon(): void;
}

interface Fetch {
  readonly module: Uint8Array;
  readonly from: NodeId;
  file: IncomingModule | null;
  total: number;
  received: number;
  readonly done: ((failure: string | null) => void)[];
}

interface Sending {
  readonly to: NodeId;
  readonly module: Uint8Array;
  offset: number;
}

const keyOf = (node: NodeId, module: Uint8Array): string => `${node} ${module.toHex()}`;

export class Modules {
  readonly #store: ModuleStore;
  readonly #network: Pick<Network, 'send' | 'hasRoom'>;
  readonly #fetches = new Map<string, Fetch>();
  readonly #sending = new Map<string, Sending>();

  constructor(store: ModuleStore, network: Pick<Network, 'send' | 'hasRoom'>) {
    this.#store = store;
    this.#network = network;
  }

  /**
   * Gets a module that is not here. Asking for one that is on its way joins it.
   * @param done called once: with null when the module is in the store, or with the reason why it is not
   */
  fetch(module: Uint8Array, from: NodeId, done: (failure: string | null) => void): void {
    const key = keyOf(from, module);
    const under = this.#fetches.get(key);
    if (under) {
      under.done.push(done);
      return;
    }
    const fetch: Fetch = { module: module.slice(), from, file: null, total: 0, received: 0, done: [done] };
    this.#fetches.set(key, fetch);
    this.#ask(fetch);
  }

  // Frames.

  ask(from: NodeId, { module, offset }: Named<MigrationMessage, 'module_ask'>): void {
    const found = this.#store.find(module);
    if (!found || offset > BigInt(found.bytes)) {
      this.#sendNone(from, module.slice(), offset);
      return;
    }
    const sending: Sending = { to: from, module: module.slice(), offset: Number(offset) };
    this.#sending.set(keyOf(from, module), sending);
    this.#pump(sending);
  }

  chunk(from: NodeId, { module, total, offset, payload }: Named<MigrationMessage, 'module_chunk'>): void {
    const fetch = this.#fetches.get(keyOf(from, module));
    if (!fetch) return;
    if (total === 0n) {
      this.#end(fetch, `node ${from} does not have the module`);
      return;
    }
    if (!fetch.file) {
      if (total > BigInt(LIMITS.moduleBytes)) {
        this.#end(fetch, `a module of ${total} bytes where ${LIMITS.moduleBytes} are allowed`);
        return;
      }
      fetch.total = Number(total);
      fetch.file = this.#store.create(fetch.module, fetch.total);
    }
    const fits = Number(offset) === fetch.received && fetch.received + payload.length <= fetch.total;
    if (!fits || Number(total) !== fetch.total || payload.length === 0) {
      this.#end(fetch, `node ${from} sent bytes that do not fit`);
      return;
    }
    fetch.file.write(payload);
    fetch.received += payload.length;
    if (fetch.received < fetch.total) return;
    const right = fetch.file.finish();
    fetch.file = null;
    this.#end(fetch, right ? null : `the module from node ${from} has another hash`);
  }

  // Events of the links.

  room(node: NodeId): void {
    for (const sending of this.#sending.values()) if (sending.to === node) this.#pump(sending);
  }

  peer(node: NodeId, event: PeerEvent): void {
    if (event === 'unreachable' || event === 'reachable') return;
    for (const [key, { to }] of this.#sending) if (to === node) this.#sending.delete(key);
    for (const fetch of this.#fetches.values()) {
      if (fetch.from !== node) continue;
      if (event === 'reset') this.#ask(fetch);
      else this.#end(fetch, `node ${node} was lost`);
    }
  }

  #ask({ module, from, received }: Fetch): void {
    this.#network.send(from, { frame: 'module_ask', module, offset: BigInt(received) });
  }

  #pump(sending: Sending): void {
    const { to, module } = sending;
    const found = this.#store.find(module);
    if (!found) {
      this.#sending.delete(keyOf(to, module));
      this.#sendNone(to, module, BigInt(sending.offset));
      return;
    }
    // `hasRoom` last: when it says no, `room` will be called.
    while (sending.offset < found.bytes && this.#network.hasRoom(to)) {
      const { offset } = sending;
      const payload = found.read(offset, LIMITS.imageChunkBytes);
      sending.offset += payload.length;
      const place = { module, total: BigInt(found.bytes), offset: BigInt(offset) };
      this.#network.send(to, { frame: 'module_chunk', ...place, payload });
    }
    if (sending.offset >= found.bytes) this.#sending.delete(keyOf(to, module));
  }

  /** There is no such module here, or not any more. */
  #sendNone(to: NodeId, module: Uint8Array, offset: bigint): void {
    this.#network.send(to, { frame: 'module_chunk', module, total: 0n, offset, payload: new Uint8Array() });
  }

  #end(fetch: Fetch, failure: string | null): void {
    this.#fetches.delete(keyOf(fetch.from, fetch.module));
    fetch.file?.abandon();
    for (const tell of fetch.done) tell(failure);
  }
}
