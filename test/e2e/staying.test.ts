/** Programs that stay: one whose objects the garbage collector keeps, for ever, and one that lets go of what holds it. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { moduleBytes } from '../spec/text.ts';
import { eventually, Lab } from '../support/lab.ts';

const SUM = 'the sum is 55\n';

let lab: Lab;
let directory: string;
let program: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'godwit-staying-'));
  program = await assembled('collected');
  lab = await Lab.start({ nodes: 2 });
});
after(async () => {
  await lab.stop();
  await rm(directory, { recursive: true });
});

async function assembled(name: string): Promise<string> {
  const file = path.join(directory, `${name}.wasm`);
  const source = path.join(import.meta.dirname, '../programs', `${name}.wat`);
  await writeFile(file, await moduleBytes(await readFile(source, 'utf8')));
  return file;
}

async function untilState(pid: number, state: string): Promise<void> {
  await eventually(`${pid} ${state}`, async () => {
    const found = (await lab.ps()).find((process) => process.pid === pid);
    return found?.state === state ? true : null;
  });
}

describe('a program with garbage collection', () => {
  test('runs without a node', async () => {
    const { stdout, stderr, status } = await lab.run(['run', program], { node: null });
    assert.deepEqual({ stdout, stderr, status }, { stdout: SUM + SUM, stderr: '', status: 7 });
  });

  test('has a stay reason, which a refused move names, and goes on', async () => {
    const running = lab.spawn(['run', program]);
    await running.output(/55\n/);
    const { pid, stay } = await lab.process(program);
    assert.deepEqual(stay, ['gc_heap']);
    const move = await lab.run(['migrate', String(pid), 'node2']);
    assert.match(move.stderr, /^godwit: [^\n]*gc_heap \([^\n]*garbage collector[^\n]*\n$/);
    assert.equal(move.status, 1);
    assert.match((await lab.run(['ps'])).stdout, / gc_heap +\S*collected\.wasm/);
    await untilState(pid, 'blocked');
    assert.equal((await lab.run(['kill', '-STOP', String(pid)])).status, 0);
    await untilState(pid, 'stopped');
    running.endInput('x');
    assert.equal((await lab.run(['kill', '-CONT', String(pid)])).status, 0);
    const { stdout, stderr, status } = await running.result();
    assert.deepEqual({ stdout, stderr, status }, { stdout: SUM + SUM, stderr: '', status: 7 });
  });

  test('can be killed while it computes', async () => {
    for (const [signal, expected] of [
      ['-TERM', 143],
      ['-INT', 130],
    ] as const) {
      const running = lab.spawn(['run', '--hop', '20ms', program, 'forever']);
      await running.output(/55\n/);
      const { pid } = await lab.process('forever');
      assert.equal((await lab.run(['kill', signal, String(pid)])).status, 0);
      assert.equal((await running.result()).status, expected);
    }
    const interrupted = lab.spawn(['run', program, 'forever']);
    await interrupted.output(/55\n/);
    interrupted.signal('SIGINT');
    assert.equal((await interrupted.result()).status, 130);
  });

  test('is not started where it is not at home', async () => {
    const { stdout, stderr, status } = await lab.run(['run', '--node', 'node2', program]);
    assert.match(stderr, /^godwit: [^\n]*gc_heap[^\n]*\n$/);
    assert.deepEqual({ stdout, status }, { stdout: '', status: 125 });
    assert.deepEqual(await lab.ps(), []);
  });

  test('godwit inspect says so', async () => {
    const text = await lab.run(['inspect', program]);
    assert.match(text.stdout, /\n {2}runs {8}yes\n {2}stays {7}[^\n]*gc_heap/);
    assert.equal(text.status, 0);
    const { stays, refused, rewritten, imports } = JSON.parse(
      (await lab.run(['inspect', program, '--json'])).stdout,
    ) as Record<string, unknown>;
    assert.deepEqual({ stays, refused, rewritten }, { stays: 'gc_heap', refused: null, rewritten: null });
    assert.equal((imports as string[]).length, 4);
  });
});

test('a program that could not be captured says why until it can', async () => {
  const held = await assembled('held');
  const running = lab.spawn(['run', held]);
  const { pid } = await lab.process(held);
  await untilState(pid, 'blocked');
  for (let i = 0; i < 2; i++) {
    const move = await lab.run(['migrate', String(pid), 'node2']);
    assert.match(move.stderr, /^godwit: [^\n]*host_reference \([^\n]*\n$/);
    assert.equal(move.status, 1);
    assert.deepEqual((await lab.process(held)).stay, ['host_reference']);
  }
  running.write('x');
  await eventually('it to have let go', async () => {
    const move = await lab.run(['migrate', String(pid), 'node2']);
    return move.status === 0 ? true : null;
  });
  const { stay, moves } = await lab.process(held);
  assert.deepEqual([stay, moves], [[], 1]);
  running.endInput('y');
  assert.equal((await running.result()).status, 0);
});

test('the nodes have nothing to complain about', async () => {
  assert.equal(await lab.complaints(), '');
});
