/**
 * Compiles src/ to dist/ for the published package: JavaScript and declarations, without the tests. tsc turns the
 * `.ts` of imports into `.js` itself; that of `new URL('./x.ts', import.meta.url)`, by which workers are started, is
 * turned here.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const FILE_URL = /(new URL\(\s*(['"])\.{1,2}\/[^'"\n]+)\.ts(?=\2\s*,\s*import\.meta\.url)/g;

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.build.json'],
  { stdio: 'inherit' },
);
if (status !== 0) process.exit(status ?? 1);
for (const file of globSync('dist/**/*.js')) {
  const text = readFileSync(file, 'utf8');
  const changed = text.replaceAll(FILE_URL, '$1.js');
  if (changed !== text) writeFileSync(file, changed);
}
