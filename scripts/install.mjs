/**
 * Installs the dependencies if they are missing or of another lock file. Runs on any Node 20 and with npm 10 or newer.
 *
 * A stamp says that an install is complete: it is removed before npm starts and put back, by a rename, when npm has
 * ended well; so an install that broke off is done again. One process installs, others that are started meanwhile
 * wait for it.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { findNode, MINIMUM } = createRequire(import.meta.url)('../bin/find-node.js');

const LOCK_FILE = 'package-lock.json';
const STAMP = 'node_modules/.godwit-lock.json';
/** Outside node_modules, which npm may tidy up. */
const CLAIM = '.cache/installing';

/** What npm says when it could not talk to the registry, as opposed to being refused by it. */
const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT)\b/;

/** @returns the Node to run everything with. Ends the process with a message if the install fails */
export function install() {
  if (!isComplete()) exclusively(() => isComplete() || runNpm());
  const node = findNode();
  if (node === null) {
    fail(
      `Node ${MINIMUM} or newer is needed; there is no package with it for ${process.platform} ${process.arch},\n` +
        `and this is ${process.version}. Put a newer Node on PATH.`,
    );
  }
  return node;
}

function isComplete() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === readFileSync(LOCK_FILE, 'utf8');
}

function runNpm() {
  rmSync(STAMP, { force: true });
  console.error('installing dependencies (npm install) ...');
  // Not `npm ci`: it refuses a lock file without the entries of optional packages for other platforms, and registries
  // that hold only some platforms cannot give those entries. `--no-save` keeps to the lock file and leaves it alone.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev'];
  const { status, error, stderr } = npm([...args, '--include=optional']);
  if (error) fail(`npm could not be started: ${error.message}`);
  process.stderr.write(stderr);
  if (status !== 0) {
    fail(
      UNREACHABLE.test(stderr)
        ? 'the npm registry cannot be reached. Check the network and proxy settings (`npm config get registry` says\n' +
            'which registry it is), then start again: it goes on from here.'
        : 'npm install failed, see above. Start again when the reason is gone; `rm -rf node_modules` is always safe.',
    );
  }
  copyFileSync(LOCK_FILE, `${STAMP}.new`);
  renameSync(`${STAMP}.new`, STAMP);
}

/** npm as its own script where npm itself says where that is: `npm` is no program but a script on Windows. */
function npm(args) {
  const script = process.env['npm_execpath'];
  const [command, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
  return spawnSync(command, [...first, ...args], { stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8' });
}

/** Runs `action` while no other process that asks for the same does. */
function exclusively(action) {
  for (let waited = false; !claim(); waited = true) {
    if (!waited) console.error('waiting for another process that installs the dependencies ...');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  process.once('exit', () => rmSync(CLAIM, { force: true }));
  action();
  rmSync(CLAIM, { force: true });
}

/** @returns whether the claim is ours now. One that its process has left behind is taken away, for the next attempt */
function claim() {
  mkdirSync('.cache', { recursive: true });
  try {
    writeFileSync(CLAIM, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!isAlive(holder())) rmSync(CLAIM, { force: true });
  return false;
}

function holder() {
  try {
    return Number(readFileSync(CLAIM, 'utf8'));
  } catch {
    // Given up in this moment.
    return process.pid;
  }
}

function isAlive(pid) {
  // Created, but not written yet.
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
