/**
 * Random valid modules from a list of choices: every construct that the rewriter treats specially, nested at random,
 * with operands left on the stack around them. Choice 0 is always the simplest, and an exhausted list yields 0, so a
 * failing case shrinks with its list. Loops and calls use up a counter, so every program ends.
 */
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { EXNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { Choices } from './choices.ts';
import { FunctionGenerator } from './function-generator.ts';
import type { MakeImports } from './harness.ts';
import { LoopGenerator } from './loop-generator.ts';
import type { Signature, Surroundings } from './surroundings.ts';
import { constantOf } from './operations.ts';

const NUMBERS = [I32, I64, F32, F64];
const TYPES = [I32, I64, F64, F32, V128, FUNCREF];
const FUEL = 60;
/** Of each function that a loop calls: what is larger than a certain size has no copies. */
const CALLEE_CHOICES = 40;
const TAGS: readonly (readonly ValueType[])[] = [[I32], [], [F64, I64, I32, F64], [V128, FUNCREF]];
/** The function that typed references are to at first; all others of its type can follow. */
const REFERRED = 0;
const IMPORTS: readonly (readonly [string, ValueType[], ValueType[]])[] = [
  ['tick', [I32], [I32]],
  ['mix', [F64, I64], [F32]],
  ['pair', [I32], [I64, F64]],
];

/** The {@link IMPORTS}: each notes that and how it was called. */
export const noting: MakeImports = (log) => ({
  tick: (n: number): number => {
    log.push(`tick ${n}`);
    return (Math.imul(n, 31) + log.length) | 0;
  },
  mix: (a: number, b: bigint): number => {
    log.push(`mix ${a} ${b}`);
    return a / 3 + Number(b % 1000n);
  },
  pair: (n: number): [bigint, number] => {
    log.push(`pair ${n}`);
    return [BigInt(n) * 3n, n / 7];
  },
});

/**
 * `any`: functions that call each other in any way. `loop`: `run` is a loop that calls small functions, directly and
 * through a table that never changes; these call only each other, the later ones the earlier ones.
 */
export type ModuleShape = 'any' | 'loop';

/** A module that exports `run` (no parameters), its memories and its tags, and imports {@link IMPORTS} from `env`. */
export function generateModule(bytes: ArrayLike<number>, shape: ModuleShape = 'any'): Uint8Array<ArrayBuffer> {
  const c = new Choices(bytes);
  const loops = shape === 'loop';
  const b = new ModuleBuilder();
  const imported = IMPORTS.map(([name, params, results]): Signature => ({
    index: b.importFunction('env', name, params, results),
    params,
    results,
  }));
  const memories = Array.from({ length: 1 + c.below(2) }, () => c.below(4) === 3);
  const shared = memories.map(() => c.below(2) === 1);
  memories.forEach((wide, i) => {
    b.memories.push({ minimum: 1, maximum: 2, wide, shared: shared[i]! });
    b.export(i === 0 ? 'memory' : `memory${i}`, 'memory', i);
  });
  const wideTable = !loops && c.below(4) === 3;
  const exceptions = c.pick(['none', 'references', 'legacy'] as const);
  const step = b.type(imported[REFERRED]!.params, imported[REFERRED]!.results);
  const referred = { type: step, orNull: b.references.type(step, true), exact: b.references.type(step, false) };
  const tags = exceptions === 'none' ? [] : [...TAGS, [referred.exact, I32, referred.orNull]];
  tags.forEach((payload, i) => b.export(`tag${i}`, 'tag', b.tag(payload)));
  const plain = [...TYPES, referred.orNull, referred.exact];
  const types = exceptions === 'references' ? [...plain, EXNREF] : plain;
  const defined = loops ? callees(c, b.nextFunction, types) : functions(c, b.nextFunction, types);
  const surroundings: Surroundings = {
    functions: [...imported, ...defined],
    fuel: b.global(I32, true, new Assembler().constant(FUEL).done()),
    globals: types.map((type) => ({ index: b.global(type, true, initial(b, referred, type)), type })),
    types,
    table: b.table(imported.length + defined.length + 2, null, FUNCREF, wideTable),
    wideTable,
    tableSize: imported.length + defined.length + 2,
    changesTable: !loops && c.below(2) === 0,
    memories,
    shared,
    references: b.references,
    referred,
    exceptions,
    tags,
    type: (params, results) => b.type(params, results),
  };
  segments(b, surroundings);
  defined.forEach((signature, i) => {
    const own = loops ? new Choices(Array.from({ length: CALLEE_CHOICES }, () => c.below(256))) : c;
    const known = loops ? { ...surroundings, functions: [...imported, ...defined.slice(0, i)] } : surroundings;
    const locals = own.types(4, types);
    const body = new FunctionGenerator(own, known, signature, [...signature.params, ...locals]);
    b.define(signature.params, signature.results, locals, body.code());
  });
  b.export('run', 'function', loops ? defineLoop(b, c, surroundings, defined) : defined[0]!.index);
  return b.build();
}

/** @returns the function that calls the others */
function defineLoop(b: ModuleBuilder, c: Choices, module: Surroundings, defined: readonly Signature[]): number {
  const loop = new LoopGenerator(c, module, defined);
  return b.define([], [I32], LoopGenerator.locals, loop.code());
}

/** Small functions of two types, those of one behind those of the other. */
function callees(c: Choices, first: number, types: readonly ValueType[]): Signature[] {
  const kinds = [0, 1].map(() => ({ params: c.types(2, [I32, ...types]), results: c.types(2, [I32, I32, ...types]) }));
  const [one, other] = [1 + c.below(4), 1 + c.below(4)];
  return Array.from({ length: one + other }, (_, i) => ({ index: first + i, ...kinds[i < one ? 0 : 1]! }));
}

function initial(b: ModuleBuilder, { exact }: Surroundings['referred'], type: ValueType): Uint8Array {
  if (type === exact) return new Assembler().op(OP.refFunc, REFERRED).done();
  return constantOf(type, 7, b.references);
}

/** The signatures of the defined functions; the first one can be called from outside. */
function functions(c: Choices, first: number, types: readonly ValueType[]): Signature[] {
  const main: Signature = { index: first, params: [], results: c.types(3, NUMBERS) };
  const others = Array.from({ length: c.below(4) }, (_, i) => ({
    index: first + 1 + i,
    params: c.types(3, types),
    results: c.types(3, types),
  }));
  return [main, ...others];
}

function segments(b: ModuleBuilder, { functions: all, memories }: Surroundings): void {
  b.elements(
    all.map(({ index }) => index),
    1,
  );
  b.data(
    Uint8Array.from({ length: 64 }, (_, i) => i * 3),
    256,
    memories.length - 1,
  );
  b.data(
    Uint8Array.from({ length: 32 }, (_, i) => 255 - i),
    'passive',
  );
}
