/** Names that modules as they are run have for the engine, so that the program in them cannot have them. */
import { GodwitError } from '../../base/errors.ts';
import type { ExternalKind } from '../../wasm/module.ts';
import { GODWIT } from './facts.ts';

interface Names {
  readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: ExternalKind }[];
  readonly exports: readonly { readonly name: string }[];
}

/**
 * Imports from `godwit` are what the engine links, so there is no place for a module of the host with this name. A
 * memory may be called so: all memories are the engine's, whatever the program calls them.
 * @throws GodwitError `not_runnable` if a name is the engine's
 */
export function requireFreeNames({ imports, exports }: Names): void {
  const exported = exports.find(({ name }) => name.startsWith(`${GODWIT}:`));
  if (exported !== undefined) {
    const reserved = `it exports ${JSON.stringify(exported.name)}, a name that Godwit reserves`;
    throw new GodwitError('not_runnable', `${reserved}: it is rewritten already; take what it was made from`);
  }
  const imported = imports.find(({ module, kind }) => module === GODWIT && kind !== 'memory');
  if (imported !== undefined) {
    const what = `the ${imported.kind} ${JSON.stringify(imported.name)}`;
    throw new GodwitError(
      'not_runnable',
      `it imports ${what} from ${JSON.stringify(GODWIT)}, a module that Godwit reserves`,
    );
  }
}
