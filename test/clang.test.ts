/**
 * The main proof: clang, a real program of 75 MB that knows nothing of Godwit, compiles and links C while it hops
 * among three nodes, and makes what it makes under node:wasi, byte for byte. `GODWIT_TORTURE=1` takes a larger source
 * and moves it as often as it can be moved.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CACHE } from './support/build.ts';
import { type ClangGuest, clangGuest, compileArgs, linkArgs } from './support/clang.ts';
import { Lab } from './support/lab.ts';
import { reference } from './support/reference.ts';

const PROGRAMS = path.join(import.meta.dirname, 'programs');
const LONG = process.env['GODWIT_TORTURE'] === '1';
const SOURCE = LONG ? 'lisp.c' : 'sha256.c';
const RUN = LONG ? ['all'] : ['20000000'];
const COMPILE_HOP = LONG ? '10ms' : '300ms';
const SHORT_HOP = LONG ? '5ms' : '40ms';
/** Milliseconds that one step may take; far more than it does. */
const LIMIT = LONG ? 900_000 : 240_000;

let lab: Lab;
let clang: ClangGuest;
before(async () => {
  clang = await clangGuest();
  // The rewritten module is kept from one test run to the next.
  lab = await Lab.start({ env: { XDG_CACHE_HOME: path.join(CACHE, 'run') } });
  for (const place of ['plain', 'moved']) {
    await mkdir(path.join(lab.directory, place));
    for (const file of [SOURCE, 'checksum.h']) {
      await copyFile(path.join(PROGRAMS, file), path.join(lab.directory, place, file));
    }
  }
});
after(() => lab.stop());

const inLab = (...names: readonly string[]): string => path.join(lab.directory, ...names);

/** @returns what it prints, and how often it has moved */
async function hop(
  name: string,
  interval: string,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly moves: number }> {
  const stats = inLab(`${name}.json`);
  const { stdout, stderr, status } = await lab.run(['run', '--hop', interval, '--stats', stats, ...args], {
    limit: LIMIT,
  });
  assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
  const { moves } = JSON.parse(await readFile(stats, 'utf8')) as { readonly moves: number };
  return { stdout, moves };
}

/** Runs a tool both ways and compares the file that it makes. @returns how often it has moved */
async function both(tool: readonly string[], output: string, interval: string): Promise<number> {
  const [argv0 = '', ...args] = tool;
  const dirs = { '.': inLab('plain'), '/usr': clang.usr };
  const plain = await reference(clang.program, { argv0, args, dirs, limit: LIMIT });
  assert.deepEqual([plain.status, plain.stderr], [0, '']);
  const given = ['--dir', `${inLab('moved')}::.`, '--dir', `${clang.usr}::/usr`];
  const { moves } = await hop(argv0, interval, [...given, clang.program, ...tool]);
  const [expected, made] = await Promise.all([readFile(inLab('plain', output)), readFile(inLab('moved', output))]);
  assert.ok(expected.equals(made), `${output} differs`);
  return moves;
}

/** Whoever has run a program has it: the first move to a node that lacks it takes longer than a short run. */
async function warmUp(): Promise<void> {
  for (const { name } of lab.nodes) {
    const { status, stderr } = await lab.run(['run', '--node', name, clang.program, 'clang', '--version'], {
      limit: LIMIT,
    });
    assert.equal(status, 0, stderr);
  }
}

describe('clang among three nodes', { concurrency: 1 }, () => {
  before(() => warmUp());

  test('compiles', async () => {
    assert.notEqual(await both(compileArgs(SOURCE, 'out.o'), 'out.o', COMPILE_HOP), 0);
  });

  // The linker may be done before it has moved.
  test('links', async () => {
    await both(linkArgs(['out.o'], 'out.wasm'), 'out.wasm', SHORT_HOP);
  });

  test('what it has made runs', async () => {
    const plain = await reference(inLab('plain', 'out.wasm'), { args: RUN, limit: LIMIT });
    assert.equal(plain.status, 0);
    const { stdout, moves } = await hop('run', SHORT_HOP, [inLab('moved', 'out.wasm'), ...RUN]);
    assert.equal(stdout, plain.stdout);
    assert.notEqual(moves, 0);
  });

  test('no daemon has complained', async () => {
    assert.equal(await lab.complaints(), '');
  });
});
