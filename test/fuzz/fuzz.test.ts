/**
 * Everything that decodes bytes of others, under inputs made for it (fuzz.ts). Short by default; a long run is bounded
 * by time.
 *
 *     GODWIT_FUZZ_SECONDS=600 node --test test/fuzz/fuzz.test.ts          each reader for so long
 *     GODWIT_FUZZ_RUNS=100000                                             or for so many inputs
 *     GODWIT_SEED=7 ... --test-name-pattern=image                         what a failure prints
 *     GODWIT_FUZZ_INPUT=BASE64 ... --test-name-pattern=image              one input alone
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Coverage } from './coverage.ts';
import { Finding, Fuzzer, type Target } from './fuzz.ts';
import { moduleTarget, outlineTarget } from './modules.ts';
import { RECORD_TARGETS } from './records.ts';

const SECONDS = Number(process.env['GODWIT_FUZZ_SECONDS'] ?? 0);
const RUNS = Number(process.env['GODWIT_FUZZ_RUNS'] ?? 1000);
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
const INPUT = process.env['GODWIT_FUZZ_INPUT'];
const LONG = SECONDS > 0;

const TARGETS: readonly Target[] = [moduleTarget(LONG), outlineTarget(LONG), ...RECORD_TARGETS];

function more({ slowness }: Target): (runs: number) => boolean {
  const end = performance.now() + SECONDS * 1000;
  return LONG ? () => performance.now() < end : (runs) => runs < RUNS / slowness;
}

/** Two who ask V8 for its counts take them from each other: with NODE_V8_COVERAGE set, inputs are made without them. */
const guided = process.env['NODE_V8_COVERAGE'] === undefined;

describe(`inputs made from real ones, GODWIT_SEED=${SEED}`, () => {
  for (const target of TARGETS) {
    test(target.name, async (t) => {
      if (INPUT !== undefined) return target.read(new Uint8Array(Buffer.from(INPUT, 'base64')));
      const seeds = await target.seeds();
      assert.ok(seeds.length > 0);
      const coverage = guided ? new Coverage() : null;
      try {
        const report = new Fuzzer(target, seeds, SEED, coverage).run(more(target));
        const part = (of: number): string => `${(100 * of).toFixed(1)} %`;
        t.diagnostic(
          `${report.runs} inputs, ${report.taken} taken, ${report.kept} kept; ${report.blocks} blocks reached; ` +
            `at most ${part(report.mostSteps)} of the steps and ${part(report.mostMemory)} of the memory allowed`,
        );
      } catch (error) {
        if (error instanceof Finding) t.diagnostic(`GODWIT_FUZZ_INPUT=${Buffer.from(error.input).toString('base64')}`);
        throw error;
      } finally {
        coverage?.stop();
      }
      return undefined;
    });
  }
});
