/**
 * Modules between nodes: whoever is to take a process and lacks its module asks the process's home for it, by hash.
 * After a lost session the rest is asked for again from where it broke off; the whole is checked against the hash.
 */
import { hash as hashOf } from 'node:crypto';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { FrameOf } from '../link/frames.ts';
import type { LoadedModule, ModuleStore } from './modules.ts';

type ModuleFrame = FrameOf<'module_ask'> | FrameOf<'module_chunk'>;

export interface BulkNetwork {
  send(to: NodeId, frame: ModuleFrame): void;
  hasRoom(to: NodeId): boolean;
}

interface Fetching {
  readonly from: NodeId;
  readonly hash: Uint8Array;
  readonly done: (bytes: Uint8Array) => void;
  readonly failed: (error: GodwitError) => void;
  bytes: Uint8Array | null;
  received: number;
}

interface Sending {
  readonly to: NodeId;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
  offset: number;
}

export class ModuleTransfer {
  readonly #modules: ModuleStore;
  readonly #network: BulkNetwork;
  readonly #fetching = new Map<string, Fetching>();
  readonly #loading = new Map<string, Promise<LoadedModule>>();
  #sending: Sending[] = [];

  constructor(modules: ModuleStore, network: BulkNetwork) {
    this.#modules = modules;
    this.#network = network;
  }

  /** The module with this hash, from here or from that node. @throws GodwitError `node_down`, `corrupt`, … */
  module(hash: Uint8Array, from: NodeId): Promise<LoadedModule> {
    const name = Buffer.from(hash).toString('hex');
    const known = this.#modules.get(name) ?? this.#loading.get(name);
    if (known) return known;
    const loading = this.#fetch(name, hash.slice(), from).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #fetch(name: string, hash: Uint8Array, from: NodeId): Promise<LoadedModule> {
    const bytes = await new Promise<Uint8Array>((done, failed) => {
      this.#fetching.set(name, { from, hash, done, failed, bytes: null, received: 0 });
      this.#network.send(from, { frame: 'module_ask', module: hash, offset: 0n });
    });
    if (hashOf('sha256', bytes, 'hex') !== name) {
      throw new GodwitError('corrupt', `node ${from} has sent another module than ${name}`);
    }
    return this.#modules.loadBytes(bytes);
  }

  receive(from: NodeId, frame: ModuleFrame): void {
    if (frame.frame === 'module_ask') void this.#serve(from, frame);
    else this.#take(from, frame);
  }

  /** There is room for bulk data to this node again. */
  room(node: NodeId): void {
    for (const sending of this.#sending) if (sending.to === node) this.#pump(sending);
    this.#sending = this.#sending.filter(({ offset, bytes }) => offset < bytes.length);
  }

  /** What was under way with this node is lost; it still answers. */
  reset(node: NodeId): void {
    this.#sending = this.#sending.filter(({ to }) => to !== node);
    for (const { from, hash, received } of this.#fetching.values()) {
      if (from === node) this.#network.send(node, { frame: 'module_ask', module: hash, offset: BigInt(received) });
    }
  }

  /** This node is gone, with whatever it was to send. */
  lost(node: NodeId): void {
    this.#sending = this.#sending.filter(({ to }) => to !== node);
    for (const [name, { from, failed }] of this.#fetching) {
      if (from !== node) continue;
      this.#fetching.delete(name);
      failed(new GodwitError('node_down', `node ${node} does not answer and has not sent the module`));
    }
  }

  async #serve(to: NodeId, { module, offset }: FrameOf<'module_ask'>): Promise<void> {
    const hash = module.slice();
    const loaded = await this.#modules.get(Buffer.from(hash).toString('hex'))?.catch(() => undefined);
    if (!loaded || offset >= BigInt(loaded.original.length)) {
      this.#network.send(to, { frame: 'module_chunk', module: hash, total: 0n, offset: 0n, payload: new Uint8Array() });
      return;
    }
    const sending = { to, hash, bytes: loaded.original, offset: Number(offset) };
    this.#pump(sending);
    if (sending.offset < sending.bytes.length) this.#sending.push(sending);
  }

  #pump(sending: Sending): void {
    const { to, hash: module, bytes } = sending;
    while (sending.offset < bytes.length && this.#network.hasRoom(to)) {
      const { offset } = sending;
      const payload = bytes.subarray(offset, offset + LIMITS.imageChunkBytes);
      sending.offset += payload.length;
      const total = BigInt(bytes.length);
      this.#network.send(to, { frame: 'module_chunk', module, total, offset: BigInt(offset), payload });
    }
  }

  #take(from: NodeId, { module, total, offset, payload }: FrameOf<'module_chunk'>): void {
    const name = Buffer.from(module).toString('hex');
    const fetching = this.#fetching.get(name);
    if (fetching?.from !== from) return;
    if (total === 0n || total > BigInt(LIMITS.moduleBytes)) {
      this.#fetching.delete(name);
      fetching.failed(new GodwitError('move_refused', `node ${from} does not have the module`));
      return;
    }
    fetching.bytes ??= new Uint8Array(Number(total));
    const { bytes } = fetching;
    // A piece that comes twice after a lost session; a gap there cannot be within one.
    if (offset !== BigInt(fetching.received) || fetching.received + payload.length > bytes.length) return;
    bytes.set(payload, fetching.received);
    fetching.received += payload.length;
    if (fetching.received < bytes.length) return;
    this.#fetching.delete(name);
    fetching.done(bytes);
  }
}
