/**
 * The official core scripts, captured at their safepoints and each time resumed in a fresh instance with a copy of the
 * memory. The short form of `npm test` takes about 150 actions of each script by a seed (GODWIT_SEED), so all of the
 * shorter scripts; in each of these the first ten safepoints, ever fewer of those behind them, and none behind 300.
 * `npm run torture -- scripts` (GODWIT_SPEC_ALL) captures in every action at every safepoint up to the 3000th, which only
 * runs that exhaust the stack, and a few others, go beyond.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../src/base/virtual.ts';
import { Captor } from './captor.ts';
import type { Choice } from './captor.ts';
import { RewrittenWorld, isCapturable } from './rewritten.ts';
import { differences, runSteps } from './runner.ts';
import { MISSING, SCRIPTS, loadScript, scriptNames } from './scripts.ts';
import { Tally } from './tally.ts';
import { OriginalWorld } from './world.ts';

const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
const SHORT: Choice = { actions: 150, inTurn: 10, most: 300 };
const ALL: Choice = { actions: Infinity, inTurn: 3000, most: 3000 };
const CHOICE = process.env['GODWIT_SPEC_ALL'] === undefined ? SHORT : ALL;

describe(`the core scripts, captured (seed ${SEED})`, { skip: SCRIPTS === null && MISSING }, () => {
  const tally = new Tally();

  for (const name of scriptNames()) {
    test(name, async () => {
      const steps = await loadScript(name);
      const plain = new OriginalWorld();
      const original = runSteps(steps, plain);
      const captor = new Captor(new SeededRandom(SEED), CHOICE, original.length);
      const world = new RewrittenWorld(captor);
      const captured = runSteps(steps, world);
      tally.check(name, differences(original, captured));
      if (!captured.some(({ outcome }) => outcome.type === 'refused')) assert.deepEqual(world.printed, plain.printed);
      const never = captured.filter(
        ({ step }) =>
          step.type === 'check' && (step.instance.capturing === 'never' || !isCapturable(step.instance.module)),
      );
      tally.results(
        'assertions in modules that can be captured',
        captured.filter((result) => !never.includes(result)),
      );
      tally.results('assertions not captured: garbage collection, or a table shared with others', never);
      tally.count('actions and instantiations captured', world.captured);
      tally.count('captures, each resumed in a fresh instance', world.captures - world.stayed);
      tally.count('captures that had to be resumed where they were', world.stayed);
      tally.count(`actions of more than ${CHOICE.most} safepoints, not captured any further`, captor.cut);
    });
  }

  test('all of it', (t) => {
    for (const line of tally.lines()) t.diagnostic(line);
  });
});
