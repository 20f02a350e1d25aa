/**
 * What the npm scripts call: installs the dependencies if need be, then runs the task with the Node that came with
 * them. Runs on any Node 20, so plain JavaScript.
 *
 *     node scripts/bootstrap.mjs TASK [ARGS...]
 *
 * Arguments go to the last step of the task. For `test`, arguments that do not begin with `-` take the place of the
 * default files: npm test -- --test-name-pattern=PATTERN test/fixtures.test.ts
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { install } from './install.mjs';

process.chdir(path.dirname(import.meta.dirname));

const TEST_FILES = ['src/**/*.test.ts', 'test/**/*.test.ts'];
/** The runner's own choice is one less than the processors, which leaves one of two idle. */
const CONCURRENCY = Math.max(2, availableParallelism());

/** A file of tests that takes longer hangs: it fails, and the others go on. The longest takes two minutes of two cores. */
const FILE_TIMEOUT_MS = 600_000;

/** The tests that have a long form, and what makes them long: see each of them. Settings of the caller's own win. */
const TORTURE_FILES = [
  'src/migration/*.test.ts',
  'src/link/*.test.ts',
  'src/cluster/*.test.ts',
  'src/capture/random.test.ts',
  'src/capture/together.test.ts',
  'test/safepoints.test.ts',
  'test/spec/captured.test.ts',
  'test/e2e/programs.test.ts',
  'test/e2e/thread-failures.test.ts',
  'test/e2e/threads.test.ts',
];
const TORTURE = {
  GODWIT_SEEDS: '20000',
  GODWIT_LIVES: '20',
  GODWIT_RANDOM_RUNS: '2000',
  GODWIT_RANDOM_QUICK_RUNS: '50000',
  GODWIT_RANDOM_SEED: String(Date.now() % 2 ** 31),
  GODWIT_THREAD_CAPTURES: '5000',
  GODWIT_SAFEPOINTS: '1000000',
  GODWIT_CAPTURES: '1000',
  GODWIT_SPEC_ALL: '1',
  GODWIT_ROUNDS: '10',
};

/** Each task is a list of programs for Node, run one after the other until one fails. */
const TASKS = {
  demo: () => [['bin/godwit', 'demo']],
  test: (args) => [testCommand([`--test-timeout=${FILE_TIMEOUT_MS}`, ...args])],
  torture: (args) => [testCommand(args.length > 0 ? args : TORTURE_FILES)],
  check: () => [
    ['node_modules/typescript/bin/tsc', '--noEmit'],
    ['node_modules/oxlint/bin/oxlint', '--type-aware', '--quiet'],
    ['node_modules/oxfmt/bin/oxfmt', '--check'],
    ['scripts/layers.mjs'],
    ['scripts/docs.mjs', '--check'],
  ],
  build: () => [['scripts/build.mjs']],
  docs: () => [['scripts/docs.mjs']],
  fixtures: () => [['scripts/fixtures.mjs']],
  bench: () => [['--disable-warning=ExperimentalWarning', 'bench/run.ts']],
  proof: () => [['scripts/clang-proof.ts']],
};

const [name = '', ...args] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
if (task === undefined) {
  console.error(`usage: node scripts/bootstrap.mjs ${Object.keys(TASKS).join('|')} [ARGS...]`);
  process.exit(2);
}
const node = install();
if (name === 'torture') Object.assign(process.env, TORTURE, { ...process.env });
const steps = task(args);
for (const [index, step] of steps.entries()) {
  const own = name !== 'test' && name !== 'torture' && index === steps.length - 1 ? args : [];
  run(node, [...step, ...own]);
}

function testCommand(args) {
  const files = args.filter((argument) => !argument.startsWith('-'));
  const options = args.filter((argument) => argument.startsWith('-'));
  const own = ['--test', '--test-reporter=spec', `--test-concurrency=${CONCURRENCY}`];
  return [...own, ...options, ...(files.length > 0 ? files : TEST_FILES)];
}

/** Ends the process as the child ended, unless that was well. */
function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  if (signal) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}
