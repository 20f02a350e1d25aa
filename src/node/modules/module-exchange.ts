/** Modules by hash, from this node's store or from another node (migration/modules.ts does the talking). */
import { hash as hashOf } from 'node:crypto';
import { GodwitError } from '../../base/errors.ts';
import type { NodeId } from '../../base/ids.ts';
import type { Network } from '../../migration/hosts.ts';
import { Modules } from '../../migration/modules.ts';
import type { LoadedModule, ModuleStore } from './modules.ts';

const nameOf = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

export class ModuleExchange {
  /** Takes the frames and events about modules. */
  readonly frames: Modules;
  readonly #store: ModuleStore;
  /** Bytes that have come and whose hash is right, until they are loaded. */
  readonly #arrived = new Map<string, Uint8Array>();

  constructor(store: ModuleStore, network: Pick<Network, 'send' | 'hasRoom'>) {
    this.#store = store;
    const arrived = this.#arrived;
    this.frames = new Modules(
      {
        find(hash) {
          const original = store.original(nameOf(hash));
          if (!original) return null;
          return { bytes: original.length, read: (offset, max) => original.subarray(offset, offset + max) };
        },
        create(hash, size) {
          const bytes = new Uint8Array(size);
          const name = nameOf(hash);
          let filled = 0;
          return {
            write(chunk) {
              bytes.set(chunk, filled);
              filled += chunk.length;
            },
            finish() {
              const right = hashOf('sha256', bytes, 'hex') === name;
              if (right) arrived.set(name, bytes);
              return right;
            },
            abandon() {},
          };
        },
      },
      network,
    );
  }

  /** The module with this hash. @throws GodwitError `move_refused` if that node does not give it; what loading throws */
  async module(hash: Uint8Array, from: NodeId): Promise<LoadedModule> {
    const name = nameOf(hash);
    const known = this.#store.get(name) ?? (await this.#store.loadKept(name));
    if (known) return known;
    await new Promise<void>((resolve, reject) => {
      this.frames.fetch(hash, from, (failure) => {
        if (failure === null) resolve();
        else reject(new GodwitError('move_refused', `the module cannot be had: ${failure}`));
      });
    });
    const bytes = this.#arrived.get(name);
    this.#arrived.delete(name);
    // Another request for the same module may have taken the bytes: then it is in the store.
    if (!bytes) return this.#store.get(name) ?? this.module(hash, from);
    this.#store.keep(name, bytes);
    return this.#store.loadBytes(bytes);
  }
}
