/** What the commands ask of the capture engine, which is loaded only by those that need it. */
import { readFileSync } from 'node:fs';
import { isPreview1Name } from '../abi/preview1.ts';
import { GodwitError } from '../base/errors.ts';
import type { Description } from '../capture/describe.ts';
import type { Outline } from '../wasm/outline.ts';
import { withAdvice } from '../wasm/advice.ts';
import { requireProgramFile } from './program-file.ts';
import { reasonOf } from './report.ts';

/** @throws GodwitError `not_found` or `not_runnable`, naming the file as it was given */
export function readModule(file: string, absolute: string): Uint8Array {
  requireProgramFile('read', file, absolute);
  try {
    return readFileSync(absolute);
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
  }[];
  /** The stay reason that its processes have for ever; null if they can move. */
  readonly stays: string | null;
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

const WASI = 'wasi_snapshot_preview1';

export async function inspect(bytes: Uint8Array): Promise<Inspection> {
  const nothing = { bytes: bytes.length, imports: [], unknown_imports: [], exports: [], memories: [] };
  const inspection: Inspection = { ...nothing, refused: null, stays: null, rewritten: null };
  const { canStay } = await import('../capture/staying.ts');
  try {
    return checked({ ...inspection, ...(await capturable(bytes)) });
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    const refused = { code: error.code, message: withAdvice(error) };
    if (!canStay(error)) return { ...inspection, ...(await sections(bytes)), refused };
    return checked({ ...inspection, ...(await staying(bytes)) });
  }
}

/** A module that can be run but for imports that no one provides. */
function checked(inspection: Inspection): Inspection {
  const { unknown_imports } = inspection;
  if (unknown_imports.length === 0) return inspection;
  const refused = { code: 'unknown_import', message: `no one provides ${unknown_imports.join(', ')}` };
  return { ...inspection, refused };
}

type Outside = Pick<Inspection, 'imports' | 'unknown_imports' | 'exports' | 'memories'>;

async function outside({
  imports,
  exports,
  memories,
}: Pick<Outline, 'imports' | 'exports' | 'memories'>): Promise<Outside> {
  const { I64 } = await import('../wasm/types.ts');
  // Memories are made as the program wants them.
  const unknown = imports.filter(
    ({ kind, module, name }) => kind !== 'memory' && (module !== WASI || !isPreview1Name(name)),
  );
  return {
    imports: imports.map(fullName),
    unknown_imports: unknown.map(fullName),
    exports: exports.map(({ name }) => name),
    memories: memories.map(({ minimum, maximum, address }) => ({
      minimum,
      maximum,
      address: address === I64 ? 'i64' : 'i32',
    })),
  };
}

async function capturable(bytes: Uint8Array): Promise<Partial<Inspection>> {
  const [{ decodeModule }, { functionName }, { rewrite }] = await Promise.all([
    import('../wasm/decode.ts'),
    import('../wasm/names.ts'),
    import('../capture/rewrite.ts'),
  ]);
  const { stats } = rewrite(bytes);
  const module = decodeModule(bytes);
  const largest = stats.largestFrame;
  return {
    ...(await sections(bytes)),
    rewritten: {
      functions: stats.functions,
      capturable: stats.wrapped,
      safepoints: stats.sites,
      polls: stats.polls,
      largest_frame: largest && {
        function: largest.index,
        name: functionName(module, largest.index),
        bytes: largest.bytes,
      },
      code_bytes: stats.codeBytesBefore,
      rewritten_code_bytes: stats.codeBytesAfter,
      rewritten_bytes: stats.bytesAfter,
      dropped_sections: stats.droppedSections,
    },
  };
}

/** What is known of a module however it ends. */
async function sections(bytes: Uint8Array): Promise<Outside | null> {
  const { readOutline } = await import('../wasm/outline.ts');
  try {
    return await outside(readOutline(bytes));
  } catch (error) {
    if (error instanceof GodwitError) return null;
    throw error;
  }
}

/** A module that can be run but not captured. The engine that runs it has the last word. */
async function staying(bytes: Uint8Array): Promise<Partial<Inspection>> {
  const { shareMemories, StayingProgram } = await import('../capture/staying.ts');
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(shareMemories(bytes));
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError || error instanceof GodwitError)) throw error;
    const code = error instanceof GodwitError ? error.code : 'invalid_module';
    return { ...(await sections(bytes)), refused: { code, message: error.message } };
  }
  return { ...(await sections(bytes)), stays: StayingProgram.open(bytes, module)?.reason ?? null };
}

/** @throws GodwitError as decoding and validating do */
export async function describe(bytes: Uint8Array): Promise<Description> {
  const [{ decodeModule }, { Description }] = await Promise.all([
    import('../wasm/decode.ts'),
    import('../capture/describe.ts'),
  ]);
  return new Description(decodeModule(bytes));
}

const fullName = ({ module, name }: { readonly module: string; readonly name: string }): string => `${module}.${name}`;
