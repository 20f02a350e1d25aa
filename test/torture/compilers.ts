/** Clang and Yosys, the largest programs: see hopping.ts. A part of `npm run torture`. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { clangGuest, compileArgs } from '../support/clang.ts';
import { REAL_DIRECTORY, realProgram, yosysShare } from '../support/real.ts';
import { reference } from '../support/reference.ts';
import { hopAround, type Subject } from './hopping.ts';

/** Milliseconds that a run under node:wasi may take on a busy machine. */
const LIMIT = 600_000;

interface Compiler {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What it makes in its directory. */
  readonly output: string;
  readonly dirs: (own: string) => Promise<Readonly<Record<string, string>>>;
}

/** What it makes must be what it makes under node:wasi, byte for byte. */
async function subjectOf({ name, program, args, output, dirs }: Compiler): Promise<Subject> {
  const plain = await mkdtemp(path.join(tmpdir(), 'godwit-torture-'));
  try {
    const [argv0 = '', ...rest] = name === 'clang' ? args : [name, ...args];
    const { status, stderr } = await reference(program, { argv0, args: rest, dirs: await dirs(plain), limit: LIMIT });
    assert.equal(status, 0, stderr);
    const expected = await readFile(path.join(plain, output));
    const check: Subject['check'] = async (end, own) => {
      assert.equal(end.status, 0, end.stderr);
      assert.ok(expected.equals(await readFile(path.join(own, output))), `${output} differs`);
    };
    return { name, program, args, dirs, check };
  } finally {
    await rm(plain, { recursive: true });
  }
}

async function clang(): Promise<Subject> {
  const { program, usr } = await clangGuest();
  const dirs: Compiler['dirs'] = async (own) => {
    for (const file of ['sha256.c', 'checksum.h']) {
      await copyFile(path.join(REAL_DIRECTORY, '..', file), path.join(own, file));
    }
    return { '.': own, '/usr': usr };
  };
  return subjectOf({ name: 'clang', program, args: compileArgs('sha256.c', 'out.o'), output: 'out.o', dirs });
}

async function yosys(): Promise<Subject> {
  const [{ path: program }, share] = await Promise.all([realProgram('yosys'), yosysShare()]);
  const script = 'read_verilog circuit.v; synth -top circuit; write_verilog -noattr out.v';
  const dirs: Compiler['dirs'] = async (own) => {
    await mkdir(path.join(own, 'tmp'), { recursive: true });
    await copyFile(path.join(REAL_DIRECTORY, 'circuit.v'), path.join(own, 'circuit.v'));
    return { '.': own, '/share': share, '/tmp': path.join(own, 'tmp') };
  };
  return subjectOf({ name: 'yosys', program, args: ['-q', '-p', script], output: 'out.v', dirs });
}

test('compilers that move all the time make what they make unmoved', async (t) => {
  await hopAround(t, [await clang(), await yosys()], [5, 20, 50]);
});
