/** Counts over all scripts, and the comparison with the list of what is known to go otherwise. */
import assert from 'node:assert/strict';
import { EXCEPTIONS, UNSUPPORTED } from './list.ts';
import type { Problem, StepResult } from './runner.ts';

/** Whether a step is one of the script's assertions. */
function isAssertion({ step }: StepResult): boolean {
  return step.type === 'instantiate-fails' || (step.type === 'check' && step.check.expected.type !== 'none');
}

/** Assertions that were run and held, and what was refused, over the scripts so far. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #met = new Set<object>();
  readonly #refused = new Map<string, number>();

  count(what: string, n = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + n);
  }

  /** Counts the assertions among the results, and by feature the steps that the rewriter refused. */
  results(kind: string, results: readonly StepResult[]): void {
    for (const result of results) {
      const { outcome } = result;
      if (outcome.type !== 'refused') this.count(kind, isAssertion(result) ? 1 : 0);
      else if (!outcome.feature.startsWith('V8: ')) {
        this.#refused.set(outcome.feature, (this.#refused.get(outcome.feature) ?? 0) + 1);
      }
    }
  }

  /** @throws AssertionError with the problems of a script that the list does not have */
  check(script: string, problems: readonly Problem[]): void {
    const unexpected = problems.filter(({ line }) => {
      const known = EXCEPTIONS.find((exception) => exception.script === script && exception.line === line);
      if (known !== undefined) this.#met.add(known);
      return known === undefined;
    });
    assert.deepEqual(
      unexpected.map(({ line, text }) => `${script}:${line}: ${text}`),
      [],
    );
  }

  /** The list holds nothing that was not met. @throws AssertionError */
  checkList(): void {
    const unmet = EXCEPTIONS.filter((exception) => !this.#met.has(exception));
    assert.deepEqual(unmet, [], 'these go as the scripts want: take them out of list.ts');
    assert.deepEqual([...this.#refused.keys()].sort(), [...UNSUPPORTED.keys()].sort(), 'the features in list.ts');
  }

  /** Everything counted, as lines. */
  lines(): string[] {
    const refused = [...this.#refused].sort(([a], [b]) => a.localeCompare(b));
    return [
      ...[...this.#counts].map(([what, n]) => `${what}: ${n}`),
      ...refused.map(([feature, n]) => `not rewritten for ${feature}: ${n} commands`),
    ];
  }
}
