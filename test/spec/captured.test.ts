/**
 * The official core scripts, captured at their safepoints and each time resumed in a fresh instance with a copy of the
 * memory. `npm test` takes some hundred actions of each script and all the safepoints of most of them, chosen by a
 * seed; `npm run torture` (GODWIT_SPEC_ALL) all actions, and each safepoint that is reached but in runs of thousands.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../src/base/virtual.ts';
import { Captor } from './captor.ts';
import type { Choice } from './captor.ts';
import { RewrittenWorld } from './rewritten.ts';
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
      const never = captured.filter(({ step }) => step.type === 'check' && step.instance.capturing === 'never');
      tally.results(
        'assertions in modules that can be captured',
        captured.filter((result) => !never.includes(result)),
      );
      tally.results('assertions not captured, in modules that share a table with others', never);
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
