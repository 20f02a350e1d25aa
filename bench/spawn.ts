/** How long it takes to run a program that does nothing, against `node` with `node:wasi`. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connectAdmin } from '../src/admin/client.ts';
import { nullIo } from '../src/node/null-stdio.ts';
import { fixture } from '../test/support/build.ts';
import type { Benchmark } from './benchmark.ts';
import { specOf } from './cluster/guest.ts';
import { withLab } from './cluster/lab.ts';
import { embeddedGodwit, godwitRun, nodeWasi, run } from './spawn/commands.ts';
import { median } from './statistics.ts';

const RUNS = 10;

export const spawn: Benchmark = {
  name: 'spawn',
  operands: '',
  summary: 'running a trivial program from start to end, against node with node:wasi',
  limit: 300,
  columns: [
    { key: 'name', meaning: 'how it is run' },
    { key: 'ms', digits: 1, meaning: 'median time until its end is known' },
    { key: 'node_wasi_ms', digits: 1, meaning: 'median time of node with node:wasi' },
    { key: 'ratio', digits: 2, meaning: 'ms by node_wasi_ms' },
  ],
  async *run({ rounds, tiny, signal }) {
    const file = (await fixture('hello')).path;
    const directory = await mkdtemp(path.join(os.tmpdir(), 'godwit-bench-'));
    try {
      yield* withLab(1, signal, async function* ({ socketPath }) {
        const ways: readonly (readonly [name: string, run: () => Promise<unknown>])[] = [
          ['node with node:wasi', () => run(nodeWasi(file, [], directory), signal)],
          ['godwit run, with a node', () => run(godwitRun(socketPath, file, [], directory), signal)],
          ['godwit run, without a node', () => run(embeddedGodwit(file, [], directory), signal)],
          ['inside a node', () => runInside(socketPath, file)],
        ];
        const times = ways.map((): number[] => []);
        // The first turn fills the caches: of rewritten modules, and of the file system.
        for (let turn = 0; turn <= (tiny ? 1 : rounds * RUNS); turn++) {
          for (const [i, [, once]] of ways.entries()) {
            const begin = performance.now();
            await once();
            if (turn > 0) times[i]!.push(performance.now() - begin);
          }
        }
        const node_wasi_ms = median(times[0]!);
        for (const [i, [name]] of ways.entries()) {
          const ms = median(times[i]!);
          if (i > 0) yield { name, ms, node_wasi_ms, ratio: ms / node_wasi_ms };
        }
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

/** What `godwit run` asks a node for, without the time that the command itself takes to start. */
async function runInside(socketPath: string, file: string): Promise<void> {
  const client = await connectAdmin(socketPath);
  await (
    await client.run(specOf(file, []), nullIo())
  ).ended;
  client.close();
}
