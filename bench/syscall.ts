/** What a system call costs that needs no other node, against `node:wasi`. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { program } from './programs.ts';
import { embeddedGodwit, nodeWasi, run } from './spawn/commands.ts';
import { best } from './statistics.ts';

const CALLS = 100_000;

export const syscall: Benchmark = {
  name: 'syscall',
  operands: '',
  summary: 'calls that are carried out where the guest is, against node:wasi',
  limit: 300,
  columns: [
    { key: 'name', meaning: 'system call; behind it the bytes of each read or write' },
    { key: 'godwit_ns', digits: 0, meaning: 'time a call in the best stretch under godwit run, seen by the program' },
    { key: 'node_wasi_ns', digits: 0, meaning: 'the same under node:wasi' },
    { key: 'ratio', digits: 2, meaning: 'godwit_ns by node_wasi_ns' },
  ],
  async *run({ rounds, tiny, signal }) {
    const file = (await program('syscalls')).path;
    const args = [String(tiny ? 100 : CALLS)];
    const directory = await mkdtemp(path.join(os.tmpdir(), 'godwit-bench-'));
    try {
      const sides = [embeddedGodwit(file, args, directory), nodeWasi(file, args, directory)];
      const times = sides.map(() => new Map<string, number[]>());
      for (let round = 0; round < rounds; round++) {
        for (const [i, side] of sides.entries()) {
          for (const line of (await run(side, signal)).trim().split('\n')) {
            const [name = '', nanos = ''] = line.split(' ');
            times[i]!.set(name, [...(times[i]!.get(name) ?? []), Number(nanos)]);
          }
        }
      }
      for (const [name, samples] of times[0]!) {
        const godwit_ns = best(samples);
        const node_wasi_ns = best(times[1]!.get(name) ?? []);
        yield { name, godwit_ns, node_wasi_ns, ratio: godwit_ns / node_wasi_ns };
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};
