/** What it takes to make a large program movable: once, and then from the cache. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LLVM_DIRECTORY } from '../test/support/toolchain.ts';
import type { Benchmark, Context, Row } from './benchmark.ts';
import { answerOf } from './child.ts';
import type { Loading } from './engine/loading.ts';
import { KERNELS } from './kernels.ts';
import { best } from './statistics.ts';

export const rewriting: Benchmark = {
  name: 'rewrite',
  operands: '[FILE.wasm]',
  summary: 'rewriting a module: clang, 75 MB, if no file is given; and loading it from the cache',
  limit: 600,
  columns: [
    { key: 'name', meaning: 'the file' },
    { key: 'size_mb', digits: 2, meaning: 'size of the original' },
    { key: 'rewrite_ms', digits: 0, meaning: 'rewriting, in a process of its own: best' },
    { key: 'cpu_ms', digits: 0, meaning: 'CPU time of that, all threads' },
    { key: 'peak_mb', digits: 0, meaning: 'the most memory of that process, 60 MB of it Node' },
    { key: 'size_ratio', digits: 3, meaning: 'bytes of the rewritten module by bytes of the original' },
    { key: 'cached_ms', digits: 0, meaning: 'as a node loads it from its cache: read, checked, validated by V8' },
  ],
  async *run(context) {
    const [operand] = context.operands;
    const small = await KERNELS[0]!.load();
    const file = operand ?? (context.tiny ? small.path : path.join(LLVM_DIRECTORY, 'llvm.core.wasm'));
    yield await measure(path.resolve(file), context);
  },
};

async function measure(file: string, { rounds, signal }: Context): Promise<Row> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'godwit-bench-'));
  try {
    const rewritten: Loading[] = [];
    const cached: Loading[] = [];
    await inProcess(signal, file, directory);
    for (let round = 0; round < rounds; round++) {
      rewritten.push(await inProcess(signal, file));
      cached.push(await inProcess(signal, file, directory));
    }
    const [before, after] = rewritten[0]!.bytes ?? [1, 1];
    return {
      name: path.basename(file),
      size_mb: before / 1e6,
      rewrite_ms: best(rewritten.map(({ ms }) => ms)),
      cpu_ms: best(rewritten.map(({ cpuMs }) => cpuMs)),
      peak_mb: best(rewritten.map(({ peakMb }) => peakMb)),
      size_ratio: after / before,
      cached_ms: best(cached.map(({ ms }) => ms)),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function inProcess(signal: AbortSignal, ...args: readonly string[]): Promise<Loading> {
  signal.throwIfAborted();
  const loading = path.join(import.meta.dirname, 'engine', 'loading.ts');
  return (await answerOf(['--no-warnings', loading, ...args], signal)) as Loading;
}
