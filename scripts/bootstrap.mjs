/**
 * What `npm start`, `npm test` and `npm run check` call: installs the dependencies if they are missing or of another
 * lock file, then runs the task with the Node that came with them. Runs on any Node 20, so plain JavaScript.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';

const STAMP = 'node_modules/.godwit-lock.json';
const same = existsSync(STAMP) && readFileSync(STAMP, 'utf8') === readFileSync('package-lock.json', 'utf8');
if (!same) {
  console.error('installing dependencies (npm install) ...');
  // Not `npm ci`: it refuses a lock file without the entries of optional packages for other platforms, and registries
  // that hold only some platforms cannot give those entries. `--no-save` keeps to the lock file and leaves it alone.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
  copyFileSync('package-lock.json', STAMP);
}

const NODE = 'node_modules/.bin/node';
const TASKS = {
  demo: [['bin/godwit', ['demo']]],
  test: [[NODE, ['--test', '--test-reporter=spec', 'src/**/*.test.ts', 'test/**/*.test.ts']]],
  bench: [[NODE, ['bench/run.ts']]],
  check: [
    ['npm', ['run', '--silent', 'typecheck']],
    ['npm', ['run', '--silent', 'lint']],
    ['npm', ['run', '--silent', 'format:check']],
    [NODE, ['scripts/layers.mjs']],
  ],
};
const [task = '', ...rest] = process.argv.slice(2);
const steps = TASKS[task];
if (!steps) {
  console.error(`usage: node scripts/bootstrap.mjs ${Object.keys(TASKS).join('|')} [ARGS...]`);
  process.exit(2);
}
for (const [command, args] of steps) run(command, [...args, ...rest]);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}
