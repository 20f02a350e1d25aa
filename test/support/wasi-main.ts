/**
 * The child process of reference.ts: runs one unmodified program under `node:wasi` and reports on descriptor 3 how it
 * ended.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { WASI } from 'node:wasi';
import type { WASIOptions } from 'node:wasi';
import { decodeModule } from '../../src/wasm/decode.ts';
import type { Job, Outcome } from './reference.ts';
import { runThreads } from './wasi-threads.ts';
import type { Ending } from './wasi-threads.ts';

const { program, argv0, args, env, dirs } = JSON.parse(process.argv[2] ?? '') as Job;
const options: WASIOptions = {
  version: 'preview1',
  args: [argv0, ...args],
  env,
  preopens: dirs,
  returnOnExit: true,
};

type Run = Ending & { readonly memory: WebAssembly.ExportValue | undefined };

function runAlone(module: WebAssembly.Module): Run {
  const wasi = new WASI(options);
  const instance = new WebAssembly.Instance(module, wasi.getImportObject() as WebAssembly.Imports);
  const { memory } = instance.exports;
  try {
    return { status: wasi.start(instance), trap: null, memory };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { status: null, trap: error.message, memory };
  }
}

const bytes = readFileSync(program);
const module = new WebAssembly.Module(bytes);
const imported = decodeModule(bytes).imports.find((entry) => entry.kind === 'memory')?.memory;
const { status, trap, memory } =
  imported === undefined ? runAlone(module) : await runThreads(module, options, imported);
if (!(memory instanceof WebAssembly.Memory)) throw new Error(`${program} exports no memory`);
const digest = createHash('sha256').update(new Uint8Array(memory.buffer)).digest('hex');
const outcome: Pick<Outcome, 'status' | 'trap' | 'memory'> = { status, trap, memory: digest };
writeSync(3, JSON.stringify(outcome));
