/** Random modules: original, rewritten, and captured at every safepoint must behave alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PORTION_BYTES } from './running/portions.ts';
import { generateModule, noting } from './testing/generator.ts';
import { runCaptured, runOriginal, subject } from './testing/harness.ts';
import type { Run } from './testing/harness.ts';

function observable({ log, end, where, memory }: Run): unknown {
  return { log, end, where, memory };
}

/** A frame a portion: what waits is not on the stack of which V8 tells, so only the innermost frames can be compared. */
function isAlike(parted: Run, original: Run): void {
  const innermost = { ...parted, where: original.where };
  assert.deepEqual(observable(innermost), observable(original));
  assert.ok(original.where.startsWith(parted.where), `${parted.where} instead of ${original.where}`);
  assert.equal(parted.where === '', original.where === '');
}

/** Programs that are captured at many safepoints one by one, and ones that are captured at a few of a single run. */
const RUNS = Number(process.env['GODWIT_RANDOM_RUNS'] ?? 60);
const QUICK_RUNS = Number(process.env['GODWIT_RANDOM_QUICK_RUNS'] ?? 2500);
/** The same programs in every test run, so that none fails by chance; others in `npm run torture`. */
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
/** Bytes of bulk instructions that are done at once: of those in random programs, which are short, some take several pieces. */
const PIECE = 6;
/** Safepoints of one program that are captured one by one. */
const SINGLE_CAPTURES = 12;

/** Bytes of stack for a portion: none has room for a second frame. */
const FRAME_A_PORTION = 1;

const random = (most: number) => fc.array(fc.nat(255), { minLength: 60, maxLength: most, size: 'max' });

/** Most programs of many are right everywhere or wrong at the first place looked at: more of them find more. */
test('many random programs run alike, captured at a few safepoints', (t) => {
  let captures = 0;
  fc.assert(
    fc.property(random(500), fc.nat(40), fc.integer({ min: 1, max: 60 }), (choices, from, step) => {
      const program = subject(generateModule(choices), 'run', [], noting, 'env', PIECE);
      const original = runOriginal(program);
      const wanted = (tick: number): boolean => tick > from && (tick - from) % step === 0 && tick < from + 4 * step;
      const inPortions = from % 2 === 1;
      const run = runCaptured(program, wanted, true, inPortions ? FRAME_A_PORTION : PORTION_BYTES);
      captures += run.captures;
      if (inPortions) isAlike(run, original);
      else assert.deepEqual(observable(run), observable(original));
    }),
    { numRuns: QUICK_RUNS, seed: SEED },
  );
  t.diagnostic(`${QUICK_RUNS} modules`);
  t.diagnostic(`${captures} captures`);
  assert.ok(captures > QUICK_RUNS / 2, `${captures} captures were made`);
});

test('random programs run alike, rewritten and captured anywhere', (t) => {
  let captures = 0;
  fc.assert(
    fc.property(random(1200), (choices) => {
      const bytes = generateModule(choices);
      assert.ok(WebAssembly.validate(bytes), 'the generator makes valid modules');
      const program = subject(bytes, 'run', [], noting, 'env', PIECE);
      const unmoved = runOriginal(program);
      const original = observable(unmoved);
      const uncaptured = runCaptured(program, () => false);
      assert.deepEqual(observable(uncaptured), original);
      const always = runCaptured(program, () => true);
      captures += always.captures;
      assert.deepEqual(observable(always), original);
      isAlike(
        runCaptured(program, () => true, true, FRAME_A_PORTION),
        unmoved,
      );
      const step = Math.max(1, Math.floor(uncaptured.ticks / SINGLE_CAPTURES));
      for (let at = 1; at <= uncaptured.ticks; at += step) {
        const run = runCaptured(program, (tick) => tick === at);
        captures += run.captures;
        assert.deepEqual(observable(run), original);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  t.diagnostic(`${RUNS} modules`);
  t.diagnostic(`${captures} captures`);
  assert.ok(captures > RUNS, `${captures} captures were made`);
});
