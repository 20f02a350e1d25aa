/**
 * Random loops that call small functions, captured and refreshed: the continuation that has noted the calls of the loop is
 * replaced by one that guesses them and has copies of the functions, and that is captured in turn, at every safepoint,
 * most of which are in copies.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { setEngineOptions } from '../node/v8.ts';
import { OP } from '../wasm/opcodes.ts';
import { Program } from './running/program.ts';
import type { CompiledContinuation } from './running/program.ts';
import { generateModule, noting } from './testing/generator.ts';
import { runCaptured, runOriginal, subject } from './testing/harness.ts';
import type { Run, Subject } from './testing/harness.ts';

// So that V8 inlines the copies, as it does on a node.
setEngineOptions();

const RUNS = Number(process.env['GODWIT_RANDOM_COPIES_RUNS'] ?? 40);
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
/** Safepoints behind the refresh that are captured in a run of their own each; all of them are in one of three runs. */
const AGAIN = 12;
/** How far apart captures are in such a run: a refresh comes before each. */
const STRIDE = 3;

/** First bytes of instructions for which V8 may call a function of its own: bulk instructions and waits; and of calls. */
const CALLING: ReadonlySet<number> = new Set([OP.call, OP.callIndirect, OP.callRef, 0xfc, 0xfe]);
/** A trap that such a function raises. */
const CALLED = 'trap: rethrowing null value';

/**
 * Of the places of a trap the innermost one: of callers, V8's optimised code often names another instruction, and so it does
 * of one for which it calls a function of its own, in the original too; of what it has inlined it may name only the caller. Then
 * no place counts.
 */
function observer(bytes: Uint8Array, original: Run): (run: Run) => unknown {
  const [, offset = ''] = original.where.split(' ')[0]!.split('@');
  const isExact = original.end !== CALLED && (offset === '' || !CALLING.has(bytes[Number(offset)]!));
  return ({ log, end, where, memory }) => {
    const [innermost = ''] = where.split(' ');
    return { log, end, where: isExact ? innermost : null, memory };
  };
}

/** What continuations there were. */
class Tally {
  noted = 0;
  guessing = 0;
  copying = 0;

  /** A program anew, which knows no continuation, and whose continuations are counted. */
  fresh(of: Subject): Subject {
    const program = Program.open(of.bytes, of.program.rewritten);
    const make = program.continuation.bind(program);
    program.continuation = (index, site, most, seen): CompiledContinuation => {
      const made = make(index, site, most, seen);
      if (made.speed === 'slow' && made.notes.length > 0) this.noted++;
      if (made.speed === 'optimised') {
        if (Array.from(seen.values()).some((entries) => entries !== 0n)) this.guessing++;
        // Calls worth inlining are hinted at, and no others.
        if (WebAssembly.Module.customSections(made.module, 'metadata.code.instr_freq').length > 0) this.copying++;
      }
      return made;
    };
    return { ...of, program };
  }
}

/** The list of random choices, and where among its safepoints a run is captured first and then refreshed. */
const cases = fc.tuple(fc.array(fc.nat(255), { minLength: 250, maxLength: 500, size: 'max' }), fc.nat(30), fc.nat(30));

test(`random loops with noted calls and copies run alike, captured anywhere in them, seed ${SEED}`, (t) => {
  const tally = new Tally();
  let captures = 0;
  let safepoints = 0;
  fc.assert(
    fc.property(cases, ([choices, first, later]) => {
      const bytes = generateModule(choices, 'loop');
      assert.ok(WebAssembly.validate(bytes), 'the generator makes valid modules');
      const program = subject(bytes, 'run', [], noting);
      const unmodified = runOriginal(program);
      const observable = observer(bytes, unmodified);
      const original = observable(unmodified);
      const plain = runCaptured(program, () => false, false);
      assert.deepEqual(observable(plain), original);
      const capture = 1 + (first % Math.max(1, plain.ticks));
      // A captured call is a safepoint once more.
      const refresh = capture + 2 + later;
      const run = (again: number | null): Run =>
        runCaptured(
          tally.fresh(program),
          (tick) => (tick === refresh ? 'refresh' : tick === capture || tick === again),
          false,
        );
      const refreshed = run(null);
      assert.deepEqual(observable(refreshed), original, 'captured and refreshed');
      for (let shift = 0; shift < STRIDE; shift++) {
        const often = runCaptured(
          tally.fresh(program),
          (tick) => (tick % STRIDE === shift ? true : (tick + 1) % STRIDE === shift ? 'refresh' : false),
          false,
        );
        captures += often.captures;
        assert.deepEqual(observable(often), original, `refreshed and captured by turns from ${shift} on`);
      }
      safepoints += Math.max(0, refreshed.ticks - refresh);
      const step = Math.max(1, Math.ceil((refreshed.ticks - refresh) / AGAIN));
      for (let again = refresh + 1; again <= refreshed.ticks; again += step) {
        const { captures: made, ...captured } = run(again);
        captures += made;
        assert.deepEqual(observable({ ...captured, captures: made }), original, `captured once more at ${again}`);
      }
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  t.diagnostic(`${RUNS} modules, ${captures} captures at ${safepoints} safepoints behind a refresh`);
  const { noted, guessing, copying } = tally;
  t.diagnostic(`${noted} noting, ${guessing} guessing, ${copying} with copies`);
  assert.ok(captures > RUNS && guessing > RUNS && copying > RUNS, `${captures} captures, ${guessing}, ${copying}`);
});
