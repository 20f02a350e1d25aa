/**
 * The modules that a node knows, by the SHA-256 of their original bytes: the bytes, the rewritten module and its
 * compiled form. Rewriting runs in a worker of its own, for a large module takes seconds, and its result is kept on
 * disk by the hash of the input and the engine's version; what is read back is checked against the hash stored with it.
 *
 * Beside it on disk are the originals that have come from other nodes: a process of the same program may come again
 * after this node has forgotten the module, or has been started anew. They are named by their hash, and checked by it.
 */
import { createHash, hash as hashOf, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MemorySize } from '../../capture/layout/memory.ts';
import { type AnyProgram, openProgram } from '../../capture/running/prepare.ts';
import { ENGINE_VERSION } from '../../capture/rewriting/rewrite.ts';
import type { Log } from '../../base/env.ts';
import { type ErrorCode, GodwitError, messageOf } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { hostPath } from '../../vfs/host-path.ts';
import { refusalCode, refusedByV8, withAdvice } from '../../wasm/advice.ts';
import { makePrivateDirectory } from '../paths.ts';
import { startWorker } from '../start-worker.ts';

/** The SHA-256 of a module's original bytes in hexadecimal. */
export type ModuleHash = string;

export interface LoadedModule {
  readonly hash: ModuleHash;
  /** Over shared memory, so that workers read it without a copy. */
  readonly original: Uint8Array<SharedArrayBuffer>;
  readonly rewritten: WebAssembly.Module;
  /** Decoded once: for a large module that takes long. */
  readonly program: AnyProgram;
  /** The memories that its guests need, and which of them calls refer to. */
  readonly memories: readonly MemorySize[];
  readonly hostMemory: number;
}

/** What the rewriting worker answers. */
export type RewriteAnswer =
  | { readonly type: 'done'; readonly module: Uint8Array<ArrayBuffer> }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

/** Compiled modules kept beyond their last use. */
const KEPT_MODULES = 16;
const DIGEST_BYTES = 32;

export class ModuleStore {
  readonly #directory: string;
  readonly #log: Log;
  /** In order of last use: the first is dropped first. */
  readonly #loaded = new Map<ModuleHash, Promise<LoadedModule>>();
  /** Of all modules that someone still uses, dropped from the list above or not. */
  readonly #originals = new Map<ModuleHash, WeakRef<Uint8Array>>();

  /** @param directory where modules are kept; made when first needed */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /**
   * Reads, rewrites and compiles a program file.
   * @throws GodwitError not_found, not_runnable, not_a_module, invalid_module, unsupported_feature
   */
  async loadFile(file: string): Promise<LoadedModule> {
    const bytes = readProgram(file);
    try {
      return await this.loadBytes(bytes);
    } catch (error) {
      if (!(error instanceof GodwitError)) throw error;
      throw new GodwitError(refusalCode(error), `cannot run ${file}: ${withAdvice(error)}`, { cause: error });
    }
  }

  /** As {@link loadFile}, for bytes that are there already, for example from another node. */
  async loadBytes(bytes: Uint8Array): Promise<LoadedModule> {
    return this.#loadOnce(hashOf('sha256', bytes, 'hex'), bytes);
  }

  /** The module of that hash from the originals on disk, or null if it is not there. @throws as {@link loadBytes} */
  async loadKept(hash: ModuleHash): Promise<LoadedModule | null> {
    const file = this.#originalFile(hash);
    const original = readUsed(file);
    if (original === null) return null;
    if (hashOf('sha256', original, 'hex') === hash) return this.#loadOnce(hash, original);
    this.#refuse(file);
    return null;
  }

  /** Keeps the original bytes of a module on disk, for {@link loadKept}. @param bytes whose hash is `hash` */
  keep(hash: ModuleHash, bytes: Uint8Array): void {
    this.#write(this.#originalFile(hash), [bytes]);
  }

  async #loadOnce(hash: ModuleHash, bytes: Uint8Array): Promise<LoadedModule> {
    const known = this.#loaded.get(hash);
    this.#loaded.delete(hash);
    const loading = known ?? this.#load(hash, bytes);
    this.#loaded.set(hash, loading);
    loading.catch(() => this.#loaded.delete(hash));
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= KEPT_MODULES) break;
      this.#loaded.delete(oldest);
    }
    return loading;
  }

  /** The original bytes of a module that is loaded. */
  original(hash: ModuleHash): Uint8Array | undefined {
    return this.#originals.get(hash)?.deref();
  }

  /** The module of that hash if it is in memory. */
  get(hash: ModuleHash): Promise<LoadedModule> | undefined {
    return this.#loaded.get(hash);
  }

  async #load(hash: ModuleHash, bytes: Uint8Array): Promise<LoadedModule> {
    const original = new Uint8Array(new SharedArrayBuffer(bytes.length));
    original.set(bytes);
    const { rewritten, program } = (await this.#openKept(hash, original)) ?? (await this.#makeAnew(hash, original));
    const { memories, hostMemory } = program;
    this.#originals.set(hash, new WeakRef(original));
    return { hash, original, rewritten, program, memories, hostMemory };
  }

  /** Of the cache, or null: a file that is whole may still be what another build has made. */
  async #openKept(hash: ModuleHash, original: Uint8Array): Promise<Opened | null> {
    const module = this.#readCache(hash);
    if (module === null) return null;
    try {
      return await open(original, module);
    } catch (error) {
      if (!(error instanceof GodwitError)) throw error;
      this.#refuse(this.#cacheFile(hash));
      return null;
    }
  }

  async #makeAnew(hash: ModuleHash, original: Uint8Array<SharedArrayBuffer>): Promise<Opened> {
    const module = await rewriteInWorker(original);
    this.#writeCache(hash, module);
    return open(original, module);
  }

  #cacheFile(hash: ModuleHash): string {
    return path.join(this.#directory, `${hash}.${ENGINE_VERSION}.wasm`);
  }

  #originalFile(hash: ModuleHash): string {
    return path.join(this.#directory, `${hash}.original.wasm`);
  }

  /** A cache file is the SHA-256 of the module, then the module. One that fails its check is removed. */
  #readCache(hash: ModuleHash): Uint8Array<ArrayBuffer> | null {
    const file = this.#cacheFile(hash);
    const stored = readUsed(file);
    if (stored === null) return null;
    const module = stored.subarray(DIGEST_BYTES);
    if (createHash('sha256').update(module).digest().equals(stored.subarray(0, DIGEST_BYTES))) return module;
    this.#refuse(file);
    return null;
  }

  #writeCache(hash: ModuleHash, module: Uint8Array): void {
    this.#write(this.#cacheFile(hash), [createHash('sha256').update(module).digest(), module]);
  }

  #refuse(file: string): void {
    this.#log.warn('a cached module failed its check and is made again', { file });
    rmSync(file, { force: true });
  }

  /** Written beside and renamed, so that no reader sees half a file. A full disk costs the cache, not the program. */
  #write(file: string, parts: readonly Uint8Array[]): void {
    const temporary = `${file}.${randomUUID()}`;
    try {
      makePrivateDirectory(this.#directory);
      writeFileSync(temporary, Buffer.concat(parts), { mode: 0o600 });
      renameSync(temporary, file);
      this.#trimCache();
    } catch (error) {
      rmSync(temporary, { force: true });
      this.#log.warn('a module could not be kept on disk', { file, reason: messageOf(error) });
    }
  }

  #trimCache(): void {
    const files = readdirSync(this.#directory)
      .map((name) => path.join(this.#directory, name))
      .map((file) => ({ file, stat: statSync(file) }))
      .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
    let total = 0;
    for (const { file, stat } of files) {
      total += stat.size;
      if (total > LIMITS.moduleCacheBytes) rmSync(file, { force: true });
    }
  }
}

/** A file of the cache, which counts as used now; null if it is not there. */
function readUsed(file: string): Buffer<ArrayBuffer> | null {
  try {
    const bytes = readFileSync(file);
    utimesSync(file, new Date(), new Date());
    return bytes;
  } catch {
    return null;
  }
}

type Opened = Pick<LoadedModule, 'rewritten' | 'program'>;

async function open(original: Uint8Array, module: Uint8Array<ArrayBuffer>): Promise<Opened> {
  const rewritten = await compile(module);
  return { rewritten, program: openProgram(original, rewritten) };
}

/** The engine checks once more what the decoder has let through. */
async function compile(module: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(module);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw refusedByV8(error);
  }
}

/** What the command has looked at already may have changed, or not be there for the node. */
function readProgram(file: string): Uint8Array {
  try {
    const stat = statSync(hostPath(file));
    if (stat.isDirectory()) throw unrunnable(file, 'it is a directory; give the path of a .wasm file');
    // A pipe or a device might never end, and the node would wait with all else that it does.
    if (!stat.isFile()) throw unrunnable(file, 'it is no regular file; give one that holds the program');
    if (stat.size > LIMITS.moduleBytes) {
      throw unrunnable(file, `it has ${stat.size} bytes, and a program may have ${LIMITS.moduleBytes}`);
    }
    return readFileSync(hostPath(file));
  } catch (error) {
    if (error instanceof GodwitError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const reason = 'there is no such file where its node is; check the path';
      throw new GodwitError('not_found', `cannot run ${file}: ${reason}`, { cause: error });
    }
    throw unrunnable(
      file,
      code === 'EACCES' ? 'its node may not read it; change its permissions' : String(code ?? error),
    );
  }
}

const unrunnable = (file: string, reason: string): GodwitError =>
  new GodwitError('not_runnable', `cannot run ${file}: ${reason}`);

function rewriteInWorker(original: Uint8Array<SharedArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const worker = startWorker('modules/rewriter', original);
    worker.once('message', (answer: RewriteAnswer) => {
      if (answer.type === 'done') resolve(answer.module);
      else reject(new GodwitError(answer.code, answer.message));
    });
    worker.once('error', (error) =>
      reject(new GodwitError('internal', `rewriting failed: ${messageOf(error)}`, { cause: error })),
    );
    worker.once('exit', () => reject(new GodwitError('internal', 'rewriting ended without a result')));
  });
}
