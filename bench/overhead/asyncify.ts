/** The baseline: Binaryen's Asyncify, in a process of its own, since the pass can take minutes and can abort. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CACHE } from '../../test/support/build.ts';
import { addPolls } from './polls.ts';

const WASM_OPT = path.join(path.dirname(fileURLToPath(import.meta.resolve('binaryen'))), 'bin/wasm-opt');
const BINARYEN_VERSION = (createRequire(import.meta.url)('binaryen/package.json') as { version: string }).version;

/** What the engine takes as well; Asyncify refuses or breaks some of what is missing here. */
const FEATURES = [
  'mutable-globals',
  'sign-ext',
  'nontrapping-float-to-int',
  'bulk-memory',
  'bulk-memory-opt',
  'multivalue',
  'reference-types',
  'call-indirect-overlong',
  'simd',
  'relaxed-simd',
];
const OPTIONS = [...FEATURES.map((feature) => `--enable-${feature}`), '--asyncify', '-O2', '--debuginfo'];
/** It cannot unwind out of a clause that catches, which nothing here does. */
const EXCEPTIONS = ['--enable-exception-handling'];
const LIMIT_MS = 300_000;

/**
 * @param original the unmodified module
 * @returns path of the module with polls and Asyncify, kept by content
 * @throws Error with Binaryen's messages, or if it takes longer than five minutes or until `signal`
 */
export async function asyncify(original: Uint8Array, signal: AbortSignal): Promise<string> {
  const { bytes: polled, exceptions } = addPolls(original);
  const passes = exceptions ? [...OPTIONS, ...EXCEPTIONS] : OPTIONS;
  const key = createHash('sha256')
    .update(JSON.stringify([BINARYEN_VERSION, passes]))
    .update(polled)
    .digest('hex');
  const directory = path.join(CACHE, 'asyncify');
  const file = path.join(directory, `${key.slice(0, 20)}.wasm`);
  if ((await readFile(file).catch(() => null)) !== null) return file;
  await mkdir(directory, { recursive: true });
  const temporary = await mkdtemp(path.join(directory, 'tmp-'));
  try {
    const input = path.join(temporary, 'in.wasm');
    const output = path.join(temporary, 'out.wasm');
    await writeFile(input, polled);
    const options = { signal, timeout: LIMIT_MS };
    await promisify(execFile)(process.execPath, [WASM_OPT, input, '-o', output, ...passes], options);
    await rename(output, file);
  } finally {
    await rm(temporary, { recursive: true });
  }
  return file;
}
