/**
 * Loads the command line in the Node that bin/godwit has found, with a cache of what Node makes of the source files: in
 * a checkout, stripping their types takes most of the time in which a command starts, compiling them a part of it
 * everywhere. Plain JavaScript, because the first file that has types costs as much as all that are cached.
 */
'use strict';
const { existsSync, mkdirSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const { Socket } = require('node:net');
const { homedir } = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

// A checkout runs its sources; the published package has only what was compiled from them.
const main = ['src/cli/main.ts', 'dist/cli/main.js']
  .map((file) => path.join(path.dirname(__dirname), file))
  .find((file) => existsSync(file));

if (main === undefined) {
  console.error(
    'godwit: neither src/cli/main.ts nor dist/cli/main.js is there: this installation is incomplete; install godwit again',
  );
  process.exitCode = 125;
} else {
  keepCompiledCode();
  const launched = endWithLauncher();
  void import(pathToFileURL(main).href).then((command) => command.main(launched));
}

/** Beside the rewritten modules (src/node/paths.ts). A directory that cannot be made or written is no error. */
function keepCompiledCode() {
  const { XDG_CACHE_HOME } = process.env;
  const caches = XDG_CACHE_HOME && path.isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : path.join(homedir(), '.cache');
  const godwit = path.join(caches, 'godwit');
  try {
    // What lies there is run, so nobody else may write to it.
    for (const directory of [caches, godwit]) if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  } catch {
    return;
  }
  enableCompileCache(path.join(godwit, 'code'));
}

/**
 * Where bin/godwit had to stay as the parent: who kills that means this process.
 * @returns whether it did
 */
function endWithLauncher() {
  const fd = Number(process.env.GODWIT_LAUNCHER_PIPE);
  delete process.env.GODWIT_LAUNCHER_PIPE;
  if (fd !== 3) return false;
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on('end', () => process.kill(process.pid, 'SIGHUP'));
  pipe.on('error', () => {});
  pipe.resume();
  pipe.unref();
  return true;
}
