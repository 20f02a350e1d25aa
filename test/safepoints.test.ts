/**
 * Every program, captured at its safepoints and always resumed by a worker that knows nothing of it: output, end, files
 * and the digest of its memory are those of an uncaptured run.
 *
 * A short run is captured at every safepoint that it comes to, in turn, one resume after the other in the same run. One
 * that has more of them is captured at random ones of its whole length, and so is a run that computes for a while or has
 * threads: there the seed gives moments, and the machine has its say. For each run the test says how many safepoints there
 * are, if they can be counted, and how many captures were made.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { silentLog } from '../src/base/env.ts';
import { SeededRandom } from '../src/base/virtual.ts';
import { ModuleStore } from '../src/node/modules/modules.ts';
import { setEngineOptions } from '../src/node/v8.ts';
import { CACHE } from './support/build.ts';
import { type ChainEnd, type Moment, runChain } from './support/chain.ts';
import { FreshWorkers } from './support/fresh-workers.ts';
import { ABSENT, lacking, PROOF, type ProofRun, VARYING } from './support/proof.ts';

/** A run with at most so many safepoints is captured at each. */
const IN_TURN = Number(process.env['GODWIT_SAFEPOINTS'] ?? 1500);
/** So many captures of a run that has more of them. */
const COUNTED = 150;
/** About so many captures at moments of a run whose safepoints are not counted. */
const MOMENTS = Number(process.env['GODWIT_CAPTURES'] ?? 8);
/** So many safepoints in turn of a run that fills the stack. */
const SHALLOW = 100;
/** So many resumes of each run are in workers that are started for them. */
const STARTED = Number(process.env['GODWIT_STARTED'] ?? 4);
/** The runs of some seconds too, and all of those with threads, whose captures each take as many workers. */
const ALL = process.env['GODWIT_CAPTURES'] !== undefined;
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
/**
 * Where programs have their files: best where the number of a file that was removed is not given to the next one, since
 * programs see these numbers.
 */
const FILES = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const ROOT = path.join(import.meta.dirname, '..');
/** Where programs are, and which files are some: not what they are linked with. */
const DIRECTORIES = ['test/programs', 'bench/kernels', 'bench/programs'];
const PROGRAM = /\.(?:c|cc|as\.ts|wat|wasm|lua)$/;
/** More than there are. */
const NEVER = 1_000_000_000;

/** When the n-th guest of a run is captured. */
type Plan = (n: number) => Moment | null;

interface Ending {
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: string;
  /** What is in its directory in the end, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly memory: string;
}

interface Ran extends Ending {
  readonly chain: ChainEnd;
  /** Safepoints at which it was to leave and did not. */
  readonly passed: number;
}

test('every program of the repository is in the proof, or in the list of those that are not', async () => {
  const there = new Set<string>();
  for (const directory of DIRECTORIES) {
    for (const file of await readdir(path.join(ROOT, directory), { recursive: true })) {
      if (PROGRAM.test(file)) there.add(`${directory}/${file.replaceAll(path.sep, '/')}`);
    }
  }
  // Beside a module that was built elsewhere stands what it was built from.
  for (const file of there)
    if (there.has(file.replace(/\.\w+$/, '.wasm')) && !file.endsWith('.wasm')) there.delete(file);
  const proved = PROOF.map(({ source }) => source);
  const absent = Object.keys(ABSENT);
  assert.deepEqual([...there].sort(), [...new Set([...proved, ...absent])].sort());
  assert.deepEqual(
    absent.filter((source) => proved.includes(source)),
    [],
  );
  for (const source of Object.keys(VARYING)) assert.ok(proved.includes(source), `${source} is not there`);
});

describe('programs captured at their safepoints', () => {
  const modules = new ModuleStore(path.join(CACHE, 'modules'), silentLog);
  let pool: FreshWorkers;

  before(async () => {
    setEngineOptions();
    pool = await FreshWorkers.start();
  });
  after(() => pool.close());

  for (const run of PROOF) {
    if (!ALL && (run.length === 'long' || (run.threads && run.length === 'short' && hasTiny(run)))) continue;
    const when = isCounted(run) ? 'at every safepoint' : 'at random moments';
    test(`${run.title}: ${when}, seed ${SEED}`, async (t) => {
      const missing = await lacking(run);
      if (missing === null) await prove(run, t);
      else t.skip(missing);
    });
  }

  async function prove(run: ProofRun, t: TestContext): Promise<void> {
    const random = new SeededRandom(SEED);
    const whole = await execute(run, () => null);
    checkTable(run, whole);
    const expected = comparable(run, whole);
    if (isStack(run)) return proveStack(run, expected, random, t);
    if (!isCounted(run)) {
      // The second time its code is there already.
      const again = await execute(run, () => null);
      assert.deepEqual(comparable(run, again), expected, 'two uncaptured runs');
      // A machine with much else to do may have taken longer for that than it takes next time.
      for (let { ranMs } = again.chain, tries = 3; ; ranMs /= 4, tries--) {
        const captured = await execute(run, moments(ranMs, random));
        assert.deepEqual(comparable(run, captured), expected);
        if (captured.chain.captures < MOMENTS / 2 && tries > 0) continue;
        return say(t, `captures in about ${ranMs.toFixed(1)} ms`, captured);
      }
    }
    const counted = await execute(run, () => ({ skip: NEVER }));
    assert.deepEqual(comparable(run, counted), expected, 'taken up at every safepoint by the same instance');
    const safepoints = counted.passed;
    const inTurn = safepoints <= IN_TURN;
    const captured = await execute(run, inTurn ? everywhere(safepoints, random) : spread(safepoints, random));
    assert.deepEqual(comparable(run, captured), expected);
    if (inTurn && run.varies === undefined) assert.equal(captured.chain.captures, safepoints);
    say(t, `captures at ${safepoints} safepoints`, captured);
  }

  /**
   * A run that calls itself until the stack is full. Captured on its way, it ends alike; captured deep down, it comes
   * further: what is taken up again takes less of V8's stack than before, so that the program's own, in its memory, may be
   * full first. Then it is that which traps, in the same function, called by the same.
   */
  async function proveStack(run: ProofRun, expected: Ending, random: SeededRandom, t: TestContext): Promise<void> {
    const choose = newWorkers(SHALLOW, random);
    const shallow = await execute(run, (n) => {
      choose(n);
      return n < SHALLOW ? { skip: 0 } : null;
    });
    assert.deepEqual(comparable(run, shallow), expected);
    const deep = await execute(run, (n) => (n < SHALLOW ? { after: random.below(200) / 1000 } : null));
    const [how, where, ...callers] = expected.ended.split('\n');
    const [deepHow, deepWhere, ...deepCallers] = deep.ended.split('\n');
    const functionOf = (line = ''): string => line.replace(/ \(.*/, '');
    assert.match(deepHow ?? '', run.trap ?? assert.fail('it traps'));
    assert.equal(functionOf(deepWhere), functionOf(where));
    if (deepHow === how) assert.equal(deepWhere, where);
    assert.deepEqual(deepCallers, callers);
    assert.deepEqual({ ...comparable(run, deep), ended: '' }, { ...expected, ended: '' });
    say(t, 'captures on its way', shallow);
    say(t, 'captures deep down', deep);
  }

  function say(t: TestContext, what: string, { chain }: Ran): void {
    t.diagnostic(`${chain.captures} ${what}`);
    assert.ok(chain.captures > 0, 'it was not captured');
  }

  /** Which resumes are in workers started for them. @param about how many there will be */
  function newWorkers(about: number, random: SeededRandom): (n: number) => void {
    if (STARTED >= about) return () => (pool.startNew = true);
    const started = new Set(Array.from({ length: STARTED }, () => random.below(about + 1)));
    return (n) => (pool.startNew = started.has(n));
  }

  /** Each safepoint in turn. */
  function everywhere(safepoints: number, random: SeededRandom): Plan {
    const choose = newWorkers(safepoints, random);
    return (n) => {
      choose(n);
      return { skip: 0 };
    };
  }

  /** Random ones of the whole run. */
  function spread(safepoints: number, random: SeededRandom): Plan {
    const choose = newWorkers(COUNTED, random);
    const most = Math.ceil((2 * safepoints) / COUNTED);
    return (n) => {
      choose(n);
      return { skip: random.below(most) };
    };
  }

  /** Random moments until it ends; fewer and fewer if it takes longer and longer, so that it does end. */
  function moments(ranMs: number, random: SeededRandom): Plan {
    const choose = newWorkers(MOMENTS, random);
    return (n) => {
      choose(n);
      if (n === 0) return { after: 0 };
      const mean = (ranMs / MOMENTS) * 2 ** Math.floor(n / (2 * MOMENTS));
      return { after: (mean * random.below(2000)) / 1000 };
    };
  }

  async function execute({ load, args, env = {}, stdin = '', directory, varies }: ProofRun, when: Plan): Promise<Ran> {
    const { path: file, bytes } = await load();
    const module = await modules.loadBytes(bytes);
    const own = directory === 'own' ? await mkdtemp(path.join(FILES, 'godwit-safepoints-')) : null;
    try {
      pool.begin(varies !== undefined);
      pool.startNew = false;
      const before = pool.passed;
      const chain = await runChain(module, pool, {
        args: [path.basename(file), ...args],
        env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
        stdin,
        directory: own ?? directory ?? null,
        when,
        steady: varies === undefined,
      });
      const { stdout, stderr, report, memory } = chain;
      const ended = report.type === 'exited' ? `exited ${report.status}` : describeEnd(report);
      const files = own === null ? {} : await contents(own);
      return { stdout, stderr, ended, files, memory, chain, passed: pool.passed - before };
    } finally {
      if (own !== null) await rm(own, { recursive: true });
    }
  }
});

function hasTiny({ source }: ProofRun): boolean {
  return PROOF.some((run) => run.source === source && run.length === 'tiny');
}

/** Whether its safepoints are counted. */
function isCounted(run: ProofRun): boolean {
  return run.length === 'tiny' && !run.threads && !isStack(run);
}

/** Whether it calls itself until the stack is full: each of its thousands of calls is a safepoint, with all before it. */
function isStack({ args }: ProofRun): boolean {
  return args[0] === 'stack';
}

function describeEnd(report: ChainEnd['report']): string {
  return report.type === 'trapped' || report.type === 'failed' ? `${report.type}: ${report.message}` : report.type;
}

/** What must be the same in each run. */
function comparable(run: ProofRun, { stdout, stderr, ended, files, memory }: Ran): Ending {
  return { stdout, stderr, ended, files, memory: run.varies === undefined ? memory : '' };
}

/** Output and end as other hosts give them. */
function checkTable({ stdout, status, trap }: ProofRun, ran: Ran): void {
  if (stdout !== undefined)
    assert.equal(createHash('sha256').update(ran.stdout).digest('hex').slice(0, 16), stdout, ran.stdout + ran.stderr);
  if (trap === undefined) assert.equal(ran.ended, `exited ${status}`, ran.stderr);
  else assert.match(ran.ended, trap);
}

async function contents(directory: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const text = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(file))
          .digest('hex')
      : '';
    found[path.relative(directory, file)] = text;
  }
  return found;
}
