/** Which imports a module may have, and what to say of the others. */
import { PREVIEW1, type Preview1Name } from '../abi/preview1.ts';
import { signatureOf } from '../abi/signature.ts';
import { GodwitError } from '../base/errors.ts';
import type { Imported } from '../wasm/module.ts';
import { NO_TYPES, typeName } from '../wasm/types.ts';

export const PREVIEW1_MODULE = 'wasi_snapshot_preview1';

const isCall = (name: string): name is Preview1Name => Object.hasOwn(PREVIEW1, name);
const typeText = (params: readonly string[], results: readonly string[]): string =>
  `(${params.join(' ')}) -> (${results.join(' ')})`;

/** What is wrong with an import, or null. A memory may come from outside: Godwit makes it. */
function complaint(entry: Imported): string | null {
  const called = `${entry.module}.${entry.name}`;
  if (entry.kind === 'memory') return null;
  if (entry.kind !== 'function') return `${called} (a ${entry.kind})`;
  if (entry.module !== PREVIEW1_MODULE || !isCall(entry.name)) return called;
  const { params, results } = entry.type ?? { params: NO_TYPES, results: NO_TYPES };
  const found = typeText(Array.from(params, typeName), Array.from(results, typeName));
  const wanted = signatureOf(entry.name);
  const expected = typeText(wanted.params, wanted.results);
  return expected === found ? null : `${called} as ${found}, which is ${expected}`;
}

/**
 * @param file the program's name, for the message
 * @throws GodwitError `unknown_import`, naming every import that is not a call of WASI preview 1 with its type
 */
export function checkImports(file: string, imports: readonly Imported[]): void {
  const unknown = imports.map(complaint).filter((text) => text !== null);
  if (unknown.length === 0) return;
  throw new GodwitError(
    'unknown_import',
    `cannot run ${file}: it imports what Godwit does not provide: ${unknown.join(', ')}; build it for ${PREVIEW1_MODULE}`,
  );
}
