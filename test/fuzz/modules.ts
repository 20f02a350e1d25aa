/** What reads modules: decoding, validating, rewriting, and what `godwit inspect` makes of them. */
import assert from 'node:assert/strict';
import { messageOf } from '../../src/base/errors.ts';
import { SeededRandom } from '../../src/base/virtual.ts';
import { Description } from '../../src/capture/description/describe.ts';
import { NOTHING_SEEN } from '../../src/capture/continuation/loop-calls.ts';
import { Program } from '../../src/capture/running/program.ts';
import { rewrite } from '../../src/capture/rewriting/rewrite.ts';
import { shareMemories, stayingReason } from '../../src/capture/running/staying.ts';
import { generateModule } from '../../src/capture/testing/generator.ts';
import { refusalOf } from '../../src/guest/runnable.ts';
import { decodeModule } from '../../src/wasm/decode.ts';
import { importsOf } from '../../src/wasm/module.ts';
import { readOutline } from '../../src/wasm/outline.ts';
import { loadScript, scriptNames } from '../spec/scripts.ts';
import { fixture } from '../support/build.ts';
import type { Target } from './fuzz.ts';
import { mutateModule } from './mutate-module.ts';
import { isTaken } from './taken.ts';

/** Modules of the core scripts that are worth their time: beyond this they are only longer. */
const SCRIPT_MODULE_BYTES = 20_000;
const GENERATED = 24;
/** Of continuations: most are written as those that are optimised at once. */
const OPTIMISED_BYTES = 16_384;
/** Of a table, modulo 64. */
const EVERY_ENTRY = 2n ** 64n - 1n;
/** Small programs of real compilers. */
const FIXTURES = ['hello', 'life', 'features', 'jumps', 'throws'] as const;
/** Scripts whose modules are among the seeds of every run; a long one takes all. */
const SCRIPTS = ['block', 'br_table', 'call_indirect', 'elem', 'data', 'try_table', 'table', 'binary', 'memory64'];

/** @param all the modules of all core scripts, not only of some */
export async function moduleSeeds(all: boolean): Promise<Uint8Array[]> {
  const random = new SeededRandom(1);
  const seeds: Uint8Array[] = Array.from({ length: GENERATED }, () =>
    generateModule(Array.from({ length: 200 }, () => random.below(256))),
  );
  for (const name of FIXTURES) seeds.push((await fixture(name)).bytes);
  for (const name of scriptNames()) {
    if (!all && !SCRIPTS.some((script) => name === `${script}.wast`)) continue;
    for (const step of await loadScript(name)) {
      const bytes = step.type === 'instantiate' ? step.instance.module.bytes : null;
      if (bytes !== null && bytes.length <= SCRIPT_MODULE_BYTES) seeds.push(bytes);
    }
  }
  return seeds;
}

/** Safepoints whose continuations are made. */
const CONTINUATIONS = 3;

/** What is taken must be a module for V8 too, and so must all that the engine makes of it. */
export const readModule = (input: Uint8Array): void => {
  try {
    const module = decodeModule(input);
    const { module: rewritten, stats } = rewrite(input);
    if (!WebAssembly.validate(Uint8Array.from(input))) {
      assert.match(complaint(input), BEYOND_LIMITS, 'taken, and V8 refuses it');
      return;
    }
    assert.ok(WebAssembly.validate(Uint8Array.from(rewritten)), 'what it was rewritten to V8 refuses');
    refusalOf({ imports: importsOf(module), exports: module.exports, module });
    if (stats.sites === 0) return;
    const description = new Description(module);
    const program = Program.open(input, new WebAssembly.Module(Uint8Array.from(rewritten)));
    let left = CONTINUATIONS;
    for (let index = 0; index < module.functionTypes.length && left > 0; index++) {
      const { safepoints } = description.describe(index);
      if (safepoints.length === 0) continue;
      left--;
      const { notes } = program.continuation(index, safepoints.length - 1, 0, NOTHING_SEEN);
      const everything = new Map(notes.map((offset) => [offset, EVERY_ENTRY]));
      program.continuation(index, safepoints.length - 1, OPTIMISED_BYTES, everything);
    }
  } catch (error) {
    const reason = stayingReason(error);
    if (reason === null) throw error;
    // Such a module is run as it is, but for its memories.
    const shared = shareMemories(input, reason);
    if (WebAssembly.validate(Uint8Array.from(input))) assert.ok(WebAssembly.validate(shared), 'shared memories');
  }
};

export const moduleTarget = (all: boolean): Target => ({
  name: 'module',
  slowness: 4,
  // Scripts have modules that are refused on purpose.
  seeds: async () => (await moduleSeeds(all)).filter((seed) => isTaken(readModule, seed)),
  mutate: mutateModule,
  read: readModule,
  steps: { base: 100_000, byte: 200 },
  memory: { base: 96 * 2 ** 20, byte: 4000 },
});

export const outlineTarget = (all: boolean): Target => ({
  name: 'outline',
  slowness: 1,
  seeds: async () => (await moduleSeeds(all)).filter((seed) => isTaken(readOutline, seed)),
  mutate: mutateModule,
  read: readOutline,
  steps: { base: 2000, byte: 15 },
  memory: { base: 8 * 2 ** 20, byte: 1000 },
});

/** V8 has limits of its own, of tables and of what memories may grow to: whoever compiles the module is told of them. */
const BEYOND_LIMITS = /limit|too many|too large|maximum|exceed/;

function complaint(input: Uint8Array): string {
  try {
    void new WebAssembly.Module(Uint8Array.from(input));
    return 'nothing';
  } catch (error) {
    return messageOf(error);
  }
}
