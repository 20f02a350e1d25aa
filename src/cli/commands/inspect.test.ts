/** `godwit inspect` and `godwit rewrite` as their user sees them. */
import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { temporaryDirectory } from '../../admin/testing/served.ts';
import { type Outcome, startGodwit } from '../testing/commands.ts';

/** A loop behind a call, of which an operand is kept. */
const PROGRAM = `(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (func $sum (param $n i32) (result i32)
    (i32.add (local.get $n) (call $yield)))
  (func $small (param i32) (result i32) (local.get 0))
  (func $main (export "_start") (drop (call $sum (call $small (i32.const 1)))))
  (@custom ".debug_info" "x"))`;

async function inspected(t: TestContext, text: string, ...words: string[]): Promise<Outcome & { file: string }> {
  const file = path.join(temporaryDirectory(t), 'prog.wasm');
  writeFileSync(file, await moduleBytes(text));
  return { file, ...(await startGodwit(t, ['inspect', file, ...words]).outcome) };
}

describe('godwit inspect', () => {
  test('says in short what there is', async (t) => {
    const { file, stdout, stderr, status } = await inspected(t, PROGRAM);
    assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
    const lines = stdout.split('\n');
    assert.equal(lines[0], file);
    for (const line of [
      '  runs        yes',
      '  memory      1 page',
      '  imports     1, 0 of them unknown',
      '  functions   3, 2 can be on a captured stack',
      '  safepoints  2, 0 of them polls',
      '  frames      at most 20 bytes a record, of function 1 (sum)',
      '  dropped     .debug_info',
    ]) {
      assert.ok(lines.includes(line), `${line} in ${stdout}`);
    }
  });

  test('--functions: a line a function', async (t) => {
    const { stdout } = await inspected(t, PROGRAM, '--functions');
    const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));
    assert.ok(lines.includes('INDEX SAFEPOINTS POLLS FRAME CODE REWRITTEN NAME'));
    assert.ok(lines.includes('0 1 0 16 - - yield'));
    assert.ok(
      lines.some((line) => /^1 1 0 20 6 \d+ sum$/.test(line)),
      stdout,
    );
    assert.ok(lines.includes('2 0 0 - 3 3 small'));
  });

  test('--function: safepoints, frame, code and continuation', async (t) => {
    const { stdout, status } = await inspected(t, PROGRAM, '--function', 'sum', '--code', '--continuation', '0');
    assert.equal(status, 0);
    const lines = stdout.split('\n');
    assert.equal(lines[0], 'function 1 $sum (param i32) (result i32)');
    for (const line of [
      'frame record, 20 bytes',
      '   0  i32  $operand0',
      '  -     call $yield',
      '  +     call $wrapped:yield',
      'continuation 0',
      '      call_indirect $continuations (result i32)',
    ]) {
      assert.ok(lines.includes(line), `${line} in ${stdout}`);
    }
    assert.match(stdout, /\n {2}0 {2}call {4}0x[0-9a-f]+ {4,}call \$yield\n/);
  });

  test('--json has the same for programs', async (t) => {
    const all = await inspected(t, PROGRAM, '--functions', '--json');
    const { functions } = JSON.parse(all.stdout) as { functions: { name: string; frame_bytes: number }[] };
    assert.deepEqual(
      functions.map(({ name, frame_bytes }) => [name, frame_bytes]),
      [
        ['yield', 16],
        ['sum', 20],
        ['small', 0],
        ['main', 16],
      ],
    );
    const one = await inspected(t, PROGRAM, '--function', '1', '--continuation=0', '--json');
    const { function: found } = JSON.parse(one.stdout) as { function: Record<string, unknown> };
    assert.equal(found['name'], 'sum');
    assert.equal((found['safepoints'] as unknown[]).length, 1);
    assert.ok((found['continuation'] as string[]).includes('global.set $savePointer'));
    assert.equal('code' in found, false);
  });

  test('says what is wrong', async (t) => {
    const cases: [string[], number, RegExp][] = [
      [['--function', 'none'], 2, /^godwit: inspect: the module has no function none; --functions lists them all\n$/],
      [
        ['--function', 'sum', '--continuation', '7'],
        2,
        /^godwit: inspect: \$sum has no safepoint 7; without --continuation it shows them\n$/,
      ],
      [['--function', 'sum', '--continuation', 'x'], 2, /wants the number of a safepoint, not x/],
      [['--code'], 2, /need --function NAME/],
    ];
    for (const [words, status, message] of cases) {
      const outcome = await inspected(t, PROGRAM, ...words);
      assert.equal(outcome.status, status);
      assert.match(outcome.stderr, message);
    }
    const refused = await inspected(t, '(module (import "env" "f" (func)))', '--functions');
    assert.equal(refused.status, 126);
    assert.match(refused.stdout, /runs {8}no: it imports what Godwit does not provide: env\.f; build it for wasi_/);
  });

  test('says of a library that it is one, and what it could cost', async (t) => {
    const library = '(module (func (export "_initialize")) (func (export "f") (loop (br 0))))';
    const { stdout, status } = await inspected(t, library);
    assert.equal(status, 126);
    assert.match(stdout, /runs {8}no: it exports no function _start, so it is a library \("reactor"\); build it as a/);
    assert.match(stdout, /safepoints {2}1, 1 of them polls/);
    const json = JSON.parse((await inspected(t, library, '--json')).stdout) as { refused: { code: string } };
    assert.equal(json.refused.code, 'not_runnable');
  });

  test('asks the engine that runs it', async (t) => {
    const { stdout, status } = await inspected(t, '(module (table 2147483647 funcref) (func (export "_start")))');
    assert.equal(status, 126);
    assert.match(stdout, /runs {8}no: the engine refuses it: .*table size .* elements\); the file is damaged/);
  });

  test('takes the call that starts threads for what it is', async (t) => {
    const threads = `(module (import "wasi" "thread-spawn" (func (param i32) (result i32)))
      (func (export "wasi_thread_start") (param i32 i32)) (func (export "_start")))`;
    const { stdout, status } = await inspected(t, threads);
    assert.equal(status, 0);
    assert.match(stdout, /runs {8}yes\n[^]*imports {5}1, 0 of them unknown/);
  });
});

test('godwit inspect says of a program with threads what it says of others', async (t) => {
  const text = (extra: string): string => `(module
    (import "env" "memory" (memory 2 16 shared))
    (import "wasi" "thread-spawn" (func (param i32) (result i32)))
    ${extra}
    (func (export "_start"))
    (func (export "wasi_thread_start") (param i32 i32)))`;
  const right = await inspected(t, text(''));
  assert.equal(right.status, 0);
  assert.match(right.stdout, /runs {8}yes\n.*\n {2}memory {6}2 pages, at most 16, shared\n {2}imports {5}2, 0 of them/);
  const wrong = await inspected(t, text('(import "env" "napi_throw" (func (param i32) (result i32)))'));
  assert.equal(wrong.status, 126);
  assert.match(wrong.stdout, /runs {8}no: it imports what Godwit does not provide: env\.napi_throw; .*\n/);
  assert.match(wrong.stdout, /\n {2}rewritten /);
});

test('godwit rewrite says which sections it left out', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(path.join(directory, 'in.wasm'), await moduleBytes(PROGRAM));
  const rewrite = (...words: string[]) =>
    startGodwit(t, ['rewrite', 'in.wasm', '-o', 'out.wasm', ...words], { cwd: directory }).outcome;
  assert.match((await rewrite()).stdout, /\nleft out, since their offsets would be wrong: \.debug_info\n$/);
  const { dropped_sections } = JSON.parse((await rewrite('--json')).stdout) as { dropped_sections: string[] };
  assert.deepEqual(dropped_sections, ['.debug_info']);
});

test('what godwit rewrite has made is told from what it takes', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(path.join(directory, 'in.wasm'), await moduleBytes(PROGRAM));
  const godwit = (...words: string[]) => startGodwit(t, words, { cwd: directory }).outcome;
  assert.equal((await godwit('rewrite', 'in.wasm', '-o', 'out.wasm')).status, 0);
  for (const words of [
    ['run', 'out.wasm'],
    ['inspect', 'out.wasm'],
    ['rewrite', 'out.wasm', '-o', 'again.wasm'],
  ]) {
    const { stdout, stderr, status } = await godwit(...words);
    assert.match(stdout + stderr, /it exports "godwit:.*it is rewritten already; take what it was made from\n/);
    assert.equal(status, 126);
  }
});

test('a module beyond a limit is none that can run', async (t) => {
  const directory = temporaryDirectory(t);
  const bytes = await moduleBytes(`(module ${'(table 0 funcref)'.repeat(60)} (func (export "_start")))`);
  writeFileSync(path.join(directory, 'tables.wasm'), bytes);
  for (const words of [
    ['run', 'tables.wasm'],
    ['inspect', 'tables.wasm'],
    ['rewrite', 'tables.wasm', '-o', 'out.wasm'],
  ]) {
    const { stdout, stderr, status } = await startGodwit(t, words, { cwd: directory }).outcome;
    assert.match(stdout + stderr, /60 tables may have 600000000 entries .*: give them a maximum\n/);
    assert.equal(status, 126);
  }
});

test(
  'rewrite tells what to do about a program that cannot be looked at',
  { skip: process.platform === 'win32' },
  async (t) => {
    const directory = temporaryDirectory(t);
    symlinkSync('loop', path.join(directory, 'loop'));
    const { stderr, status } = await startGodwit(t, ['rewrite', 'loop', '-o', 'out'], { cwd: directory }).outcome;
    assert.match(stderr, /^godwit: cannot read loop: .*; give the path of the file itself\n$/);
    assert.equal(status, 126);
  },
);
