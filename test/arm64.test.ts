/**
 * A cluster of two processor types: programs start on an x86-64 node, go on under 64-bit Arm in the middle of their
 * loops, and come back. WebAssembly defines the result of every instruction that they use bit by bit, so what they
 * print is what an unmoved run prints.
 *
 * Not tested, because the specification leaves it to the processor: the payload of a NaN, and relaxed SIMD on operands
 * where it may differ. simd_relaxed uses it only where it may not (test/programs/simd.c).
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { arm64Node } from './support/arm64.ts';
import { fixture } from './support/build.ts';
import type { FixtureName } from './support/fixtures.ts';
import { eventually, Lab, type Launcher } from './support/lab.ts';
import { reference } from './support/reference.ts';

/** Each computes for about a second on x86-64. */
const PROGRAMS: readonly (readonly [name: FixtureName, what: string, ...args: string[]])[] = [
  ['ray', 'floats', '2500'],
  ['simd', 'vectors of floats and integers', '700000'],
  ['simd_relaxed', 'relaxed vector instructions', '700000'],
  ['i64', '64-bit integers', '220000'],
  ['lisp', 'deep recursion and indirect calls', 'fib', '33'],
];

/** CPU time in milliseconds that a program uses on a node, at least, before it moves. */
const STAY_MS = 100;

const arm64 = await arm64Node();
const title = 'between x86-64 and 64-bit Arm';
// A test of its own, because the runner does not count suites that are skipped.
if ('missing' in arm64) test(title, { skip: arm64.missing }, () => {});
else describe(title, () => travels(arm64.launcher));

interface Stats {
  readonly moves: number;
  readonly cpu_ms: Readonly<Record<string, number>>;
}

function travels(launcher: Pick<Launcher, 'command'>): void {
  let lab: Lab;
  before(async () => {
    lab = await Lab.start({ nodes: 1 });
    // A module cache of its own, so that the module itself has to travel.
    const env = { XDG_CACHE_HOME: path.join(lab.directory, 'arm64-cache') };
    await lab.up('arm64', [], { ...launcher, env });
  });
  after(() => lab?.stop());

  /** Resolves when the process has computed for {@link STAY_MS} more. */
  async function computes(pid: number): Promise<void> {
    const used = async (): Promise<number> => {
      const process = (await lab.ps()).find((process) => process.pid === pid);
      return process?.cpu_ms ?? assert.fail('the program has ended before it could be moved');
    };
    const before = await used();
    await eventually('the process computes', async () => ((await used()) - before >= STAY_MS ? true : null));
  }

  const signal = (pid: number, name: 'SIGSTOP' | 'SIGCONT'): Promise<void> =>
    lab.ask((node) => node.kill(pid, constants.signals[name]));

  test('each node says which it is', async () => {
    const { stdout } = await lab.run(['nodes', '--json']);
    const nodes = JSON.parse(stdout) as { name: string; arch: string; state: string }[];
    assert.deepEqual(
      nodes.map(({ name, arch, state }) => ({ name, arch, state })),
      [
        { name: 'node1', arch: 'x64', state: 'up' },
        { name: 'arm64', arch: 'arm64', state: 'up' },
      ],
    );
  });

  for (const [name, what, ...args] of PROGRAMS) {
    test(`${name} (${what}) there and back`, async () => {
      const { path: program } = await fixture(name);
      const file = path.join(lab.directory, `${name}.json`);
      const running = lab.spawn(['run', '--stats', file, program, ...args]);
      running.endInput();
      const { pid } = await lab.process(program);
      await computes(pid);
      // A program runs on until the other node is ready for it, and under qemu that may take longer than all its work.
      await signal(pid, 'SIGSTOP');
      await lab.migrate(pid, 'arm64');
      await signal(pid, 'SIGCONT');
      await computes(pid);
      await lab.migrate(pid, 'home');
      const moved = await running.result();
      const { stdout, stderr, status } = await reference(program, { args });
      assert.deepEqual(moved, { stdout, stderr, status });
      const stats = JSON.parse(await readFile(file, 'utf8')) as Stats;
      assert.equal(stats.moves, 2);
      // Not all of it: ps asks the thread from outside, and getting ready to run counts for it.
      assert((stats.cpu_ms['arm64'] ?? 0) >= STAY_MS / 2, `CPU time there: ${JSON.stringify(stats.cpu_ms)}`);
    });
  }

  test('no daemon has complained', async () => {
    assert.equal(await lab.complaints(), '');
  });
}
