import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { BENCHMARKS } from '../../bench/benchmarks.ts';
import { fixture } from '../support/build.ts';

const root = path.join(import.meta.dirname, '../..');

function bench(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--no-warnings', 'bench/run.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
}

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly node: Readonly<Record<string, unknown>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Runs a benchmark in its tiny size and checks the shape that every report has. */
function report(...args: readonly string[]): Report {
  const { status, stdout, stderr } = bench(...args);
  assert.equal(status, 0, stderr);
  const made = JSON.parse(stdout) as Report;
  assert.deepEqual(Object.keys(made), ['machine', 'node', 'rows']);
  const machine = ['cpu', 'cores', 'memory_gb', 'os', 'arch', 'load_before', 'load_after'];
  assert.deepEqual(Object.keys(made.machine), machine);
  assert.deepEqual(made.node, { version: process.version, v8: process.versions.v8 });
  const columns = BENCHMARKS.find(({ name }) => name === args[0])?.columns.map(({ key }) => key);
  for (const row of made.rows) assert.deepEqual(Object.keys(row), columns);
  return made;
}

function positive(row: Report['rows'][number] | undefined, ...keys: readonly string[]): void {
  for (const key of keys) assert.ok(Number(row?.[key]) > 0, `${key} is ${String(row?.[key])}`);
}

test('overhead compares the three variants of a file', async () => {
  const { rows } = report('overhead', '--tiny', (await fixture('awk')).path, '3', '--json');
  assert.equal(rows.length, 1);
  assert.equal(rows[0]?.['name'], 'awk.wasm');
  positive(rows[0], 'unmodified_ms', 'godwit_ms', 'ratio', 'asyncify_ms', 'asyncify_ratio', 'size_ratio');
  positive(rows[0], 'baseline_ratio', 'compile_ms', 'compile_ratio', 'peak_mb', 'peak_ratio');
});

test('overhead takes kernels by their names', () => {
  const { rows } = report('overhead', '--tiny', 'queens', 'fib', '--json');
  assert.deepEqual(
    rows.map((row) => row['name']),
    ['queens', 'fib', 'geometric mean'],
  );
});

test('reaction captures at random moments', () => {
  const { rows } = report('reaction', '--tiny', 'fib', 'queens', '--json');
  assert.deepEqual(
    rows.map((row) => [row['name'], row['moments']]),
    [
      ['fib', 3],
      ['queens', 3],
      ['all', 6],
    ],
  );
  for (const row of rows) positive(row, 'p50_ms', 'p99_ms', 'worst_ms');
});

test('depth captures and resumes stacks of several depths', () => {
  const { rows } = report('depth', '--tiny', '--json');
  assert.deepEqual(
    rows.map((row) => row['frames']),
    [1, 10],
  );
  for (const row of rows) positive(row, 'capture_ms', 'resume_ms', 'both_ms', 'fresh_ms', 'state_kb');
});

test('hotloop compares the rest of a run that was captured with the same uncaptured', () => {
  const { rows } = report('hotloop', '--tiny', 'queens', '--json');
  // On a busy machine it may have ended before it was to be captured.
  for (const row of rows) positive(row, 'rest_ms', 'resumed_ms', 'ratio', 'unrefreshed_ratio');
});

test('rewrite measures a file, rewritten and from the cache', async () => {
  const { rows } = report('rewrite', '--tiny', (await fixture('awk')).path, '--json');
  assert.equal(rows.length, 1);
  positive(rows[0], 'size_mb', 'rewrite_ms', 'cpu_ms', 'peak_mb', 'size_ratio', 'cached_ms');
});

test('syscall measures each call on both sides', () => {
  const { rows } = report('syscall', '--tiny', '--json');
  const names = ['clock_time_get', 'random_get_16', 'args_sizes_get'];
  for (const size of [1, 64, 4096, 65536]) names.push(`fd_write_${size}`, `fd_read_${size}`);
  assert.deepEqual(
    rows.map((row) => row['name']),
    names,
  );
  for (const row of rows) positive(row, 'godwit_ns', 'node_wasi_ns', 'ratio');
});

test('spawn measures the ways to run a program', () => {
  const { rows } = report('spawn', '--tiny', '--json');
  assert.deepEqual(
    rows.map((row) => row['name']),
    ['godwit run, with a node', 'godwit run, without a node', 'inside a node'],
  );
  for (const row of rows) positive(row, 'ms', 'node_wasi_ms', 'ratio');
});

test('homecall compares the round trips', () => {
  const { rows } = report('homecall', '--tiny', '--json');
  // The second needs taskset.
  assert.ok(rows.length === 1 || rows[1]?.['name'] === 'fd_fdstat_get, one processor');
  for (const row of rows) positive(row, 'roundtrip_us', 'tls_us', 'ratio', 'floor_us');
});

test('migrate compares a move with a plain transfer', () => {
  const { rows } = report('migrate', '--tiny', '--json');
  assert.equal(rows.length, 1);
  positive(rows[0], 'size_mb', 'dirty_mb_s', 'freeze_ms', 'total_ms', 'tls_ms', 'floor_ms');
});

test('migrate measures the sizes that it is given', () => {
  const { rows } = report('migrate', '--tiny', '--json', '3', '2');
  assert.deepEqual(
    rows.map((row) => row['size_mb']),
    [3, 2],
  );
});

test('a benchmark whose time is over ends what it started and gives the rows that it has', () => {
  const { status, stdout, stderr } = bench('migrate', '--limit', '1', '--json');
  assert.equal(status, 1);
  assert.deepEqual((JSON.parse(stdout) as Report).rows, []);
  assert.match(stderr, /not all was measured/);
});

test('--help names every benchmark', () => {
  const { status, stdout } = bench('--help');
  assert.equal(status, 0);
  for (const { name } of BENCHMARKS) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
});

test('what is wrong is said in one clear line, with the way out', () => {
  const help = '; "npm run bench -- --help" shows how';
  for (const [args, status, message] of [
    [[], 2, `no benchmark is named${help}`],
    [['nonsense'], 2, /^there is no benchmark nonsense; there are overhead, .*shows how$/],
    [['overhead', '--rounds', '0'], 2, `--rounds and --limit take whole numbers from 1${help}`],
    [['overhead', '--colour'], 2, `Unknown option '--colour'${help}`],
    [['reaction', 'fob'], 2, /^there is no kernel fob; there are .*shows how$/],
    [['migrate', '64', '0'], 2, `"0" is no size: whole MiB from 1 to 2048${help}`],
    [['migrate', '64MB'], 2, `"64MB" is no size: whole MiB from 1 to 2048${help}`],
    [['spawn', 'x'], 2, `unexpected operand "x" of spawn${help}`],
    [['overhead', 'missing.wasm'], 127, /^cannot read missing\.wasm: there is no such file in .*; check the path$/],
    [['rewrite', 'src'], 126, 'cannot read src: it is a directory; give the path of a .wasm file'],
    [['overhead', 'package.json'], 126, /^cannot use package\.json: .*: build the program for wasm32-wasip1$/],
  ] as const) {
    const outcome = bench(...args);
    assert.equal(outcome.status, status, outcome.stderr);
    const said = /^bench: (.*)\n$/.exec(outcome.stderr)?.[1] ?? outcome.stderr;
    if (typeof message === 'string') assert.equal(said, message);
    else assert.match(said, message);
  }
});

test('a program that fails is told with its own words', async () => {
  const { status, stderr } = bench('overhead', '--tiny', (await fixture('ends')).path, 'unreachable');
  assert.equal(status, 125);
  assert.match(stderr, /bench: a measured process ended with status 1: RuntimeError: unreachable\n$/);
});
