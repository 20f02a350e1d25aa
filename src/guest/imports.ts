/** Which imports a module may have, and what to say of the others. */
import { isPreview1Name } from '../abi/preview1.ts';
import { type Signature, signatureOf } from '../abi/signature.ts';
import {
  THREAD_ENTRY,
  THREAD_ENTRY_TYPE,
  THREAD_SPAWN,
  THREAD_SPAWN_TYPE,
  THREADS_MODULE,
} from '../abi/wasi-threads.ts';
import { type Imported, type Module, typeOf } from '../wasm/module.ts';
import { type FunctionType, NO_TYPES, typeName } from '../wasm/types.ts';

export const PREVIEW1_MODULE = 'wasi_snapshot_preview1';

const typeText = (params: readonly string[], results: readonly string[]): string =>
  `(${params.join(' ')}) -> (${results.join(' ')})`;
const textOf = ({ params, results }: FunctionType): string =>
  typeText(Array.from(params, typeName), Array.from(results, typeName));

/** The type of a function that Godwit has; null if there is none of that name. */
function provided(module: string, name: string): Signature | null {
  if (module === PREVIEW1_MODULE && isPreview1Name(name)) return signatureOf(name);
  return module === THREADS_MODULE && name === THREAD_SPAWN ? THREAD_SPAWN_TYPE : null;
}

/** What is wrong with an import, or null. A memory may come from outside: Godwit makes it. */
function complaint(entry: Imported): string | null {
  const called = `${entry.module}.${entry.name}`;
  if (entry.kind === 'memory') return null;
  if (entry.kind !== 'function') return `${called} (a ${entry.kind})`;
  const wanted = provided(entry.module, entry.name);
  if (wanted === null) return called;
  const found = textOf(entry.type ?? { params: NO_TYPES, results: NO_TYPES });
  const expected = typeText(wanted.params, wanted.results);
  return expected === found ? null : `${called} as ${found}, which is ${expected}`;
}

/** Those that are no calls of WASI preview 1 with its types. */
export function unknownImports(imports: readonly Imported[]): readonly Imported[] {
  return imports.filter((entry) => complaint(entry) !== null);
}

/** More wrong imports than these are counted, not named: a module for Node-API has more than a hundred. */
const NAMED = 64;

/** What is wrong with imports that {@link unknownImports} gave, by name, and what helps. */
export function importFault(unknown: readonly Imported[]): string {
  const complaints = unknown.map(complaint).filter((text) => text !== null);
  const named = complaints.length > NAMED + 1 ? complaints.slice(0, NAMED) : complaints;
  const rest = complaints.length - named.length;
  const list = named.join(', ') + (rest > 0 ? ` and ${rest} more, which "godwit inspect --json" names` : '');
  return `it imports what Godwit does not provide: ${list}; build it for ${PREVIEW1_MODULE}`;
}

/** Whether a program with these imports can have several threads. */
export function startsThreads(imports: readonly Imported[]): boolean {
  return imports.some(({ module, name }) => module === THREADS_MODULE && name === THREAD_SPAWN);
}

/**
 * For a program that starts threads.
 * @param module null: it is one that cannot be decoded, and stays where it is
 * @returns what is wrong if it has nothing for them to run, or cannot have any; null: nothing
 */
export function threadFault(module: Module | null): string | null {
  if (module === null) return 'it uses garbage collection and starts threads, which cannot be together';
  const entry = module.exports.find(({ kind, name }) => kind === 'function' && name === THREAD_ENTRY);
  const expected = typeText(THREAD_ENTRY_TYPE.params, THREAD_ENTRY_TYPE.results);
  const found = entry && textOf(typeOf(module, entry.index));
  if (found === expected) return null;
  const has = found === undefined ? 'no such function' : `one that is ${found}`;
  return `it starts threads, which need an exported function ${THREAD_ENTRY} that is ${expected}; it exports ${has}`;
}
