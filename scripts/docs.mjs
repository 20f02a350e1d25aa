/**
 * Writes the documents that are generated from tables, and the listings in those that have some; with `--check`, compares
 * and fails naming each stale one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { renderSyscalls } from '../src/abi/document.ts';
import { renderProtocol } from '../src/link/docs.ts';
import { renderListings } from './listings.mjs';

/** What each should be, which may depend on what it is. */
const DOCUMENTS = [
  { file: 'docs/SYSCALLS.md', render: renderSyscalls },
  { file: 'docs/PROTOCOL.md', render: renderProtocol },
  { file: 'docs/CAPTURE.md', render: renderListings },
];

let stale = 0;
for (const { file, render } of DOCUMENTS) {
  const before = read(file);
  const text = await render(before ?? '');
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
  } else if (before !== text) {
    console.error(`${file} is not what the code gives: run \`npm run docs\``);
    stale++;
  }
}
if (stale === 0) console.log(`docs: ${DOCUMENTS.map(({ file }) => file).join(', ')} are up to date`);
process.exitCode = stale === 0 ? 0 : 1;

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
