/** Whether a module is a program that can be run: what it imports, and what it is entered by. */
import { type ErrorCode, GodwitError } from '../base/errors.ts';
import { type Export, type Imported, type Module, typeOf } from '../wasm/module.ts';
import { importFault, startsThreads, threadFault, unknownImports } from './imports.ts';

/** What has to be known of a module. */
export interface Candidate {
  readonly imports: readonly Imported[];
  readonly exports: readonly Export[];
  /** null: it cannot be decoded, since it uses garbage collection; whoever compiles it has validated it. */
  readonly module: Module | null;
}

export interface Refusal {
  readonly code: ErrorCode;
  /** With the way out. */
  readonly reason: string;
}

/** Why a module is no program that can be run here; null: it is one. */
export function refusalOf({ imports, exports, module }: Candidate): Refusal | null {
  const unknown = unknownImports(imports);
  if (unknown.length > 0) return { code: 'unknown_import', reason: importFault(unknown) };
  const reason = (startsThreads(imports) ? threadFault(module) : null) ?? entryFault(exports, module);
  return reason === null ? null : { code: 'not_runnable', reason };
}

/** @param file the program's name, for the message. @throws GodwitError `unknown_import` or `not_runnable` */
export function requireRunnable(file: string, candidate: Candidate): void {
  const refusal = refusalOf(candidate);
  if (refusal !== null) throw new GodwitError(refusal.code, `cannot run ${file}: ${refusal.reason}`);
}

const HELP = 'build it as a program, with a main function';

/** Preview 1, "Current Unstable ABI" (application-abi.md of the specification): a command's _start is () -> (). */
function entryFault(exports: readonly Export[], module: Module | null): string | null {
  const exported = (wanted: string): Export | undefined =>
    exports.find(({ kind, name }) => kind === 'function' && name === wanted);
  const entry = exported('_start');
  if (entry === undefined) {
    const what = exported('_initialize') === undefined ? 'a library' : 'a library ("reactor")';
    return `it exports no function _start, so it is ${what}; ${HELP}`;
  }
  const type = module && typeOf(module, entry.index);
  if (type === null || type.params.length + type.results.length === 0) return null;
  return `its _start has parameters or results, so it is no program of WASI preview 1; build it with a main function`;
}
