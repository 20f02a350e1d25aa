/** What the commands ask of the capture engine, which is loaded only by those that need it. */
import { readFileSync } from 'node:fs';
import { GodwitError } from '../base/errors.ts';
import type { Description } from '../capture/description/describe.ts';
import type { StayingReason } from '../capture/running/staying.ts';
import type { Module } from '../wasm/module.ts';
import type { Outline } from '../wasm/outline.ts';
import { hostPath } from '../vfs/host-path.ts';
import { refusalCode, refusedByV8, withAdvice } from '../wasm/advice.ts';
import { requireProgramFile } from './program-file.ts';
import { reasonOf } from './report.ts';

/** @throws GodwitError `not_found` or `not_runnable`, naming the file as it was given */
export function readModule(file: string, absolute: string): Uint8Array {
  requireProgramFile('read', file, absolute);
  try {
    return readFileSync(hostPath(absolute));
  } catch (error) {
    throw new GodwitError('not_runnable', `cannot read ${file}: ${reasonOf(error)}; try again`, { cause: error });
  }
}

/** What `godwit inspect --json` prints; fields that a refused module does not have are null. */
export interface Inspection {
  readonly bytes: number;
  /** Why it cannot run; null: it can. */
  readonly refused: { readonly code: string; readonly message: string } | null;
  /** `module.name` of each import. */
  readonly imports: readonly string[];
  /** Those of them that no one provides. */
  readonly unknown_imports: readonly string[];
  readonly exports: readonly string[];
  /** 64 KiB pages. */
  readonly memories: readonly {
    readonly minimum: number;
    readonly maximum: number | null;
    readonly address: 'i32' | 'i64';
    /** Among the threads of its process. */
    readonly shared: boolean;
  }[];
  /** The stay reason that its processes have for ever; null if they can move. */
  readonly stays: StayingReason | null;
  /** What it takes to make it movable; null if that cannot be. */
  readonly rewritten: {
    readonly functions: number;
    /** Functions that can be on a captured stack. */
    readonly capturable: number;
    readonly safepoints: number;
    readonly polls: number;
    /** The longest frame record that a function writes; null if none ever does. */
    readonly largest_frame: { readonly function: number; readonly name: string | null; readonly bytes: number } | null;
    readonly code_bytes: number;
    readonly rewritten_code_bytes: number;
    readonly rewritten_bytes: number;
    readonly dropped_sections: readonly string[];
  } | null;
}

export async function inspect(bytes: Uint8Array): Promise<Inspection> {
  const outline = await outlineOf(bytes);
  const seen = { ...(await outside(outline)), bytes: bytes.length };
  const made = await engineMakes(bytes);
  if (made.refused !== null || outline === null) return { ...seen, ...made };
  const { refusalOf } = await import('../guest/runnable.ts');
  const module = made.rewritten === null ? null : await decoded(bytes);
  const refusal = refusalOf({ imports: outline.imports, exports: outline.exports, module });
  return { ...seen, ...made, refused: refusal && { code: refusal.code, message: refusal.reason } };
}

/** What the engine makes of it, whether or not it is a program. */
type Made = Pick<Inspection, 'refused' | 'stays' | 'rewritten'>;

async function engineMakes(bytes: Uint8Array): Promise<Made> {
  try {
    return { refused: null, stays: null, rewritten: await capturable(bytes) };
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    const { stayingReason } = await import('../capture/running/staying.ts');
    const reason = stayingReason(error);
    if (reason !== null) return staying(bytes, reason);
    return { refused: { code: refusalCode(error), message: withAdvice(error) }, stays: null, rewritten: null };
  }
}

async function decoded(bytes: Uint8Array): Promise<Module> {
  const { decodeModule } = await import('../wasm/decode.ts');
  return decodeModule(bytes);
}

/** What is known of a module however it ends; null: nothing. */
async function outlineOf(bytes: Uint8Array): Promise<Outline | null> {
  const { readOutline } = await import('../wasm/outline.ts');
  try {
    return readOutline(bytes);
  } catch (error) {
    if (error instanceof GodwitError) return null;
    throw error;
  }
}

async function outside(
  outline: Outline | null,
): Promise<Pick<Inspection, 'imports' | 'unknown_imports' | 'exports' | 'memories'>> {
  if (outline === null) return { imports: [], unknown_imports: [], exports: [], memories: [] };
  const { imports, exports, memories } = outline;
  const [{ unknownImports }, { I64 }] = await Promise.all([import('../guest/imports.ts'), import('../wasm/types.ts')]);
  return {
    imports: imports.map(fullName),
    unknown_imports: unknownImports(imports).map(fullName),
    exports: exports.map(({ name }) => name),
    memories: memories.map(({ minimum, maximum, address, shared }) => ({
      minimum,
      maximum,
      address: address === I64 ? 'i64' : 'i32',
      shared,
    })),
  };
}

/** @throws GodwitError as decoding, validating and rewriting do */
async function capturable(bytes: Uint8Array): Promise<Inspection['rewritten']> {
  const [{ functionName }, { rewrite }] = await Promise.all([
    import('../wasm/names.ts'),
    import('../capture/rewriting/rewrite.ts'),
  ]);
  const { module, stats } = rewrite(bytes);
  compiled(module);
  const largest = stats.largestFrame;
  return {
    functions: stats.functions,
    capturable: stats.wrapped,
    safepoints: stats.sites,
    polls: stats.polls,
    largest_frame: largest && {
      function: largest.index,
      name: functionName(await decoded(bytes), largest.index),
      bytes: largest.bytes,
    },
    code_bytes: stats.codeBytesBefore,
    rewritten_code_bytes: stats.codeBytesAfter,
    rewritten_bytes: stats.bytesAfter,
    dropped_sections: stats.droppedSections,
  };
}

/** The engine that runs it has the last word. @throws GodwitError `invalid_module` */
function compiled(module: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(module);
  } catch (error) {
    throw error instanceof WebAssembly.CompileError ? refusedByV8(error) : error;
  }
}

/** A module that can be run but not captured. */
async function staying(bytes: Uint8Array, stays: StayingReason): Promise<Made> {
  const { shareMemories } = await import('../capture/running/staying.ts');
  try {
    compiled(shareMemories(bytes, stays));
    return { refused: null, stays, rewritten: null };
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    return { refused: { code: refusalCode(error), message: withAdvice(error) }, stays: null, rewritten: null };
  }
}

/** @throws GodwitError as decoding and validating do */
export async function describe(bytes: Uint8Array): Promise<Description> {
  const { Description } = await import('../capture/description/describe.ts');
  return new Description(await decoded(bytes));
}

const fullName = ({ module, name }: { readonly module: string; readonly name: string }): string => `${module}.${name}`;
