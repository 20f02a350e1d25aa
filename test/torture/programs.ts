/** The fixture programs, with and without threads, SQLite and Lua: see hopping.ts. A part of `npm run torture`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { fixture } from '../support/build.ts';
import { REAL_DIRECTORY, type RealName, realProgram } from '../support/real.ts';
import { reference } from '../support/reference.ts';
import { type FixtureRun, RUNS, THREAD_RUNS } from '../support/runs.ts';
import { hopAround, type Subject } from './hopping.ts';

/** A trap is SIGABRT. */
const TRAPPED = 128 + 6;

async function subjectOf(run: FixtureRun): Promise<Subject> {
  const { path: program } = await fixture(run.fixture);
  return {
    name: [run.fixture, ...run.args].join(' '),
    program,
    args: run.args,
    ...(run.env && { env: run.env }),
    ...(run.stdin !== undefined && { stdin: run.stdin }),
    check({ stdout, stderr, status }) {
      assert.equal(createHash('sha256').update(stdout).digest('hex').slice(0, 16), run.stdout, stdout + stderr);
      assert.equal(status, run.status ?? TRAPPED, stderr);
    },
  };
}

/** What it prints must be what it prints under node:wasi. @param inOwn it works in a directory of its own */
async function realSubject(name: RealName, args: readonly string[], inOwn = false): Promise<Subject> {
  const { path: program } = await realProgram(name);
  const dirs = { '.': REAL_DIRECTORY };
  const unmoved = inOwn ? args.slice(0, 1) : args;
  const expected = await reference(program, { args: unmoved, dirs });
  assert.deepEqual([expected.status, expected.stderr], [0, '']);
  return {
    name: [name, ...args].join(' '),
    program,
    args,
    ...(!inOwn && { dirs: () => Promise.resolve(dirs) }),
    check: (end) => assert.deepEqual(end, { stdout: expected.stdout, stderr: '', status: 0 }),
  };
}

test('programs that move all the time do what they do unmoved', async (t) => {
  const subjects = await Promise.all([...RUNS, ...THREAD_RUNS].map(subjectOf));
  subjects.push(await realSubject('lua', ['work.lua', '20']));
  subjects.push(await realSubject('sqlite', ['8000']));
  // The same in a file.
  subjects.push(await realSubject('sqlite', ['2000', 'orders.db'], true));
  await hopAround(t, subjects, [2, 3, 5, 8, 13]);
});
