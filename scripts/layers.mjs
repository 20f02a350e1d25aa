/**
 * Checks that imports between the directories of src/ only go down the list, and that the pure ones import nothing
 * from `node:` (docs/ARCHITECTURE.md, invariant 1). Tests and what they share (`testing/` directories) are free, but
 * nothing else may import from there. Exits 1 and names each breach.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** From the top to the bottom; a directory may import itself and anything below. */
const LAYERS = [
  'cli',
  'admin',
  'node',
  'balance',
  'migration',
  'ipc',
  'kernel',
  'cluster',
  'link',
  'guest',
  'vfs',
  'capture',
  'wasm',
  'abi',
  'base',
];
/** The same for the directories inside of one; what stands in none of them is above them all. */
const INNER = {
  capture: ['description', 'running', 'image', 'continuation', 'rewriting', 'layout', 'analysis', 'code'],
};
/** Directories whose files import nothing from `node:` … */
const PURE = new Set(['balance', 'migration', 'ipc', 'kernel', 'cluster', 'link', 'capture', 'wasm', 'abi', 'base']);
/** … but for these, which are the real transport, storage, certificates and hashes behind an interface of their directory. */
const EDGES = new Set([
  'src/link/tls.ts',
  'src/link/receive-buffer.ts',
  'src/cluster/sqlite.ts',
  'src/cluster/authority.ts',
  'src/capture/image/hasher.ts',
]);

const breaches = [];
for (const file of globSync('src/**/*.ts')) {
  if (isForTests(file) || file.endsWith('.d.ts')) continue;
  const from = file.split(path.sep)[1];
  const level = LAYERS.indexOf(from);
  if (level === -1) breaches.push(`${file}: ${from} is not a layer`);
  for (const [, target] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport\s*\(?)\s*['"]([^'"]+)['"]/g)) {
    if (target.startsWith('.')) {
      const imported = path.join(path.dirname(file), target);
      const to = path.relative('src', imported).split(path.sep)[0];
      if (isForTests(imported)) breaches.push(`${file} imports ${imported}, which is for tests`);
      if (LAYERS.indexOf(to) < level) breaches.push(`${file}: ${from} imports ${to}, which is above it`);
      else if (to === from && INNER[from] && inner(file) > inner(imported)) {
        breaches.push(`${file} imports ${imported}, which is above it`);
      }
    } else if (PURE.has(from) && !EDGES.has(file) && target.startsWith('node:')) {
      breaches.push(`${file}: ${from} is pure and imports ${target}`);
    }
  }
}
for (const breach of breaches) console.error(breach);
console.log(breaches.length === 0 ? 'layers: every import goes down' : `layers: ${breaches.length} breaches`);
process.exitCode = breaches.length === 0 ? 0 : 1;

/** The level of a file inside of its layer; 0 is the highest. */
function inner(file) {
  const [, layer, directory] = file.split(path.sep);
  return INNER[layer].indexOf(directory) + 1;
}

function isForTests(file) {
  return file.endsWith('.test.ts') || file.split(path.sep).includes('testing');
}
