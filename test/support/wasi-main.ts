/**
 * The child process of reference.ts: runs one unmodified program under `node:wasi` and reports on descriptor 3 how it
 * ended.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { WASI } from 'node:wasi';
import type { Job, Outcome } from './reference.ts';

const { program, argv0, args, env, dirs } = JSON.parse(process.argv[2] ?? '') as Job;
const wasi = new WASI({
  version: 'preview1',
  args: [argv0, ...args],
  env,
  preopens: dirs,
  returnOnExit: true,
});
const module = new WebAssembly.Module(readFileSync(program));
const instance = new WebAssembly.Instance(module, wasi.getImportObject() as WebAssembly.Imports);

let status: number | null = null;
let trap: string | null = null;
try {
  status = wasi.start(instance);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  trap = error.message;
}
const { memory } = instance.exports;
if (!(memory instanceof WebAssembly.Memory)) throw new Error(`${program} exports no memory`);
const digest = createHash('sha256').update(new Uint8Array(memory.buffer)).digest('hex');
const outcome: Pick<Outcome, 'status' | 'trap' | 'memory'> = { status, trap, memory: digest };
writeSync(3, JSON.stringify(outcome));
