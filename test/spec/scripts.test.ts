/** The official core scripts: each module as it is in plain V8, and rewritten, with the same results, traps and link errors. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusal } from './refusal.ts';
import { RewrittenWorld } from './rewritten.ts';
import { differences, runSteps } from './runner.ts';
import type { Problem } from './runner.ts';
import { MISSING, SCRIPTS, loadScript, scriptNames } from './scripts.ts';
import { Tally } from './tally.ts';
import { OriginalWorld } from './world.ts';

describe('the core scripts, original and rewritten', { skip: SCRIPTS === null && MISSING }, () => {
  const tally = new Tally();
  const names = scriptNames();
  let run = 0;

  for (const name of names) {
    test(name, async () => {
      run++;
      const steps = await loadScript(name);
      const problems: Problem[] = [];
      for (const step of steps) {
        if (step.type === 'refuse') {
          const { by, wrong } = refusal(step.why, step.bytes);
          if (wrong !== '') problems.push({ line: step.line, text: wrong });
          tally.count(`${step.why} modules refused by ${by}`);
        } else if (step.type !== 'register' && step.instance.module.compiled === null && step.type !== 'check') {
          problems.push({ line: step.line, text: step.instance.module.broken });
        }
      }
      const plain = new OriginalWorld();
      const original = runSteps(steps, plain);
      for (const { step, wrong } of original) if (wrong !== '') problems.push({ line: step.line, text: wrong });
      const world = new RewrittenWorld(null);
      const rewritten = runSteps(steps, world);
      problems.push(...differences(original, rewritten));
      tally.check(name, problems);
      if (!rewritten.some(({ outcome }) => outcome.type === 'refused')) assert.deepEqual(world.printed, plain.printed);
      tally.results('assertions in the original modules', original);
      tally.results('assertions in the rewritten modules', rewritten);
      tally.count('instances of modules with garbage collection, run but not rewritten', world.uncaptured);
    });
  }

  test('all of it, and the list of what is not run', (t) => {
    for (const line of tally.lines()) t.diagnostic(line);
    if (run === names.length) tally.checkList();
  });
});
