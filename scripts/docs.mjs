/**
 * Writes the documents that are generated from tables; with `--check`, compares and fails naming each stale one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { renderSyscalls } from '../src/abi/document.ts';
import { renderProtocol } from '../src/link/docs.ts';

const DOCUMENTS = [
  { file: 'docs/SYSCALLS.md', render: renderSyscalls },
  { file: 'docs/PROTOCOL.md', render: renderProtocol },
];

let stale = 0;
for (const { file, render } of DOCUMENTS) {
  const text = render();
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
  } else if (read(file) !== text) {
    console.error(`${file} is not what its table gives: run \`npm run docs\``);
    stale++;
  }
}
if (stale === 0) console.log(`docs: ${DOCUMENTS.map(({ file }) => file).join(' and ')} are up to date`);
process.exitCode = stale === 0 ? 0 : 1;

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
