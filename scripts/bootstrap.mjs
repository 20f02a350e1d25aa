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

/** A file of tests that takes longer hangs: it fails, and the others go on. The longest takes four minutes of a core. */
const FILE_TIMEOUT_MS = 900_000;

/** What of the sources the tests run: not of themselves, nor of what they share. */
const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-coverage-exclude=**/*.test.ts',
  '--test-coverage-exclude=src/**/testing/**',
];
/** Tasks that have given their arguments to the tests. */
const TESTING = new Set(['test', 'coverage']);

/** Each task is a list of programs for Node, run one after the other until one fails. */
const TASKS = {
  demo: () => [['bin/godwit', 'demo']],
  test: (args) => [testCommand([`--test-timeout=${FILE_TIMEOUT_MS}`, ...args])],
  torture: () => [['test/torture/run.ts']],
  coverage: (args) => [testCommand([...COVERAGE, ...args])],
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
const steps = task(args);
for (const [index, step] of steps.entries()) {
  const own = !TESTING.has(name) && index === steps.length - 1 ? args : [];
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
