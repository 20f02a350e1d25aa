/**
 * Every guest program builds, and prints under `node:wasi` what the tables say: so that a difference found under
 * Godwit later is Godwit's.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fixture } from './support/build.ts';
import { clangGuest, compileArgs, linkArgs } from './support/clang.ts';
import { FIXTURES, type FixtureName } from './support/fixtures.ts';
import { type Outcome, reference } from './support/reference.ts';
import { CONFORMANCE, RUNS, THREAD_RUNS } from './support/runs.ts';

async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'godwit-fixture-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const ATTEMPTS = 5;

/**
 * V8 traps by chance in threads that use memory right after another one has added it (src/capture/code/growing.ts): such a run
 * tells nothing of the program. One in twenty is, on a busy machine.
 */
async function untrapped(once: () => Promise<Outcome>): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
    const outcome = await once();
    if (outcome.trap !== 'memory access out of bounds' || attempt === ATTEMPTS) return outcome;
  }
}

test('every program builds and is a module', async () => {
  for (const name of Object.keys(FIXTURES) as FixtureName[]) {
    const { path: file, bytes } = await fixture(name);
    assert(WebAssembly.validate(bytes), name);
    assert.equal(Buffer.compare(await readFile(file), bytes), 0);
  }
});

describe('output under node:wasi', { concurrency: 2 }, () => {
  // The long ones are for benchmarks and moves; computing them takes half a minute.
  for (const run of [...RUNS, ...THREAD_RUNS].filter(({ length }) => length !== 'long')) {
    test(`${run.fixture} ${run.args.join(' ')}`, async () => {
      const { path: file } = await fixture(run.fixture);
      const { env = {}, stdin = '' } = run;
      const once = (): Promise<Outcome> =>
        withDirectory((directory) =>
          reference(file, { args: run.args, env, stdin, dirs: run.directory === true ? { '.': directory } : {} }),
        );
      const outcome = await (THREAD_RUNS.includes(run) ? untrapped(once) : once());
      assert.equal(outcome.status, run.status ?? null, outcome.stderr);
      assert.match(outcome.trap ?? '', run.trap ?? /^$/);
      assert.equal(createHash('sha256').update(outcome.stdout).digest('hex').slice(0, 16), run.stdout, outcome.stdout);
    });
  }
});

describe('conformance under node:wasi', { concurrency: 2 }, () => {
  for (const { fixture: name, args = [], env = {}, nodeFails } of CONFORMANCE) {
    test(name, { skip: nodeFails !== undefined && `node:wasi: ${nodeFails}` }, async () => {
      const { path: file } = await fixture(name);
      const { stdout, stderr, status } = await withDirectory((directory) =>
        reference(file, { args, env, dirs: { '.': directory } }),
      );
      assert.deepEqual({ stdout, stderr, status }, { stdout: 'ok\n', stderr: '', status: 0 });
    });
  }
});

test('clang as a guest compiles and links a program that runs', async () => {
  const { program, usr } = await clangGuest();
  await withDirectory(async (directory) => {
    for (const name of ['lisp.c', 'checksum.h']) {
      await copyFile(path.join(import.meta.dirname, 'programs', name), path.join(directory, name));
    }
    const dirs = { '/usr': usr, '.': directory };
    const compiled = await reference(program, { args: compileArgs('lisp.c', 'lisp.o', ['-O1']), dirs });
    assert.deepEqual([compiled.status, compiled.stderr], [0, '']);
    const linked = await reference(program, { args: linkArgs(['lisp.o'], 'lisp.wasm'), dirs });
    assert.deepEqual([linked.status, linked.stderr], [0, '']);
    const { stdout } = await reference(path.join(directory, 'lisp.wasm'), { args: ['queens', '3'] });
    assert.match(stdout, /^queens 3 0\n/);
  });
});
