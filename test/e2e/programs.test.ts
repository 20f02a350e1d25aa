/**
 * Every guest program as a process: inside the command, through a daemon, and while it moves among three daemons. The
 * output is byte for byte what the unmodified program prints under node:wasi (test/fixtures.test.ts).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { Lab, type Result, type RunOptions } from '../support/lab.ts';
import { CONFORMANCE, type FixtureRun, RUNS } from '../support/runs.ts';

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(() => lab.stop());

interface Program {
  readonly fixture: FixtureRun['fixture'];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

async function runProgram(program: Program, options: readonly string[], where: RunOptions): Promise<Result> {
  const { path: file } = await fixture(program.fixture);
  const cwd = await mkdtemp(path.join(lab.directory, 'cwd-'));
  const env = Object.entries(program.env ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const args = ['run', ...options, ...env, file, ...(program.args ?? [])];
  return lab.run(args, { input: program.stdin ?? '', cwd, ...where });
}

/** A trap is SIGABRT; the message names the program, what happened and the function. */
const TRAPPED = 128 + 6;

async function check(run: FixtureRun, options: readonly string[], where: RunOptions): Promise<void> {
  const { stdout, stderr, status } = await runProgram(run, options, where);
  assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), run.stdout, stdout + stderr);
  assert.equal(status, run.status ?? TRAPPED, stderr);
  if (run.trap) {
    assert.match(stderr, run.trap);
    assert.match(stderr, /^godwit: .*\n(?: {4}at .*\n)+$/);
  } else if (status === 0) {
    assert.equal(stderr, '');
  }
}

const name = ({ fixture: program, args }: FixtureRun): string => `${program} ${args.join(' ')}`;
const isTiny = ({ length }: FixtureRun): boolean => length === 'tiny';
const isLong = ({ length }: FixtureRun): boolean => length === 'long';

describe('inside the command', { concurrency: 2 }, () => {
  // Each kind of trap is tried below.
  for (const run of RUNS.filter((one) => isTiny(one) && !one.trap))
    test(name(run), () => check(run, [], { node: null }));
});

describe('through a daemon', { concurrency: 2 }, () => {
  for (const run of RUNS.filter((one) => !isTiny(one) && !isLong(one))) test(name(run), () => check(run, [], {}));
});

// For minutes, and every few milliseconds: `npm run torture -- programs`.
describe('hopping among three nodes', { concurrency: 2 }, () => {
  let moves = 0;
  for (const run of RUNS) {
    test(name(run), async () => {
      if (!isLong(run)) return check(run, ['--hop', '5ms'], {});
      const stats = path.join(await mkdtemp(path.join(lab.directory, 'stats-')), 'json');
      await check(run, ['--hop', '100ms', '--stats', stats], {});
      moves += (JSON.parse(await readFile(stats, 'utf8')) as { readonly moves: number }).moves;
    });
  }
  after(() => assert.ok(moves > 0, 'no long run has moved'));
});

describe('conformance', { concurrency: 2 }, () => {
  for (const program of CONFORMANCE) {
    for (const [place, options, node] of [
      ['at home', [], null],
      ['hopping', ['--hop', '5ms'], 'node1'],
      ['from afar', ['--node', 'node2'], 'node1'],
    ] as const) {
      test(`${program.fixture} ${place}`, async () => {
        const { stdout, stderr, status } = await runProgram(program, options, { node });
        assert.deepEqual({ stdout, stderr, status }, { stdout: 'ok\n', stderr: '', status: 0 });
      });
    }
  }
});

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});
