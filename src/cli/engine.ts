/** What the commands ask of the capture engine, which is loaded only by those that need it. */
import { readFileSync } from 'node:fs';
import { isPreview1Name } from '../abi/preview1.ts';
import { GodwitError } from '../base/errors.ts';
import type { Description } from '../capture/describe.ts';
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
  const [{ decodeModule }, { functionName }, { I64 }, { rewrite }] = await Promise.all([
    import('../wasm/decode.ts'),
    import('../wasm/names.ts'),
    import('../wasm/types.ts'),
    import('../capture/rewrite.ts'),
  ]);
  const nothing = { bytes: bytes.length, imports: [], unknown_imports: [], exports: [], memories: [], rewritten: null };
  let known: Inspection = { ...nothing, refused: null };
  try {
    const module = decodeModule(bytes);
    // Memories are made as the program wants them.
    const unknown = module.imports.filter(
      ({ kind, module, name }) => kind !== 'memory' && (module !== WASI || !isPreview1Name(name)),
    );
    known = {
      ...known,
      imports: module.imports.map(fullName),
      unknown_imports: unknown.map(fullName),
      exports: module.exports.map(({ name }) => name),
      memories: module.memories.map(({ minimum, maximum, address }) => ({
        minimum,
        maximum,
        address: address === I64 ? 'i64' : 'i32',
      })),
    };
    const { stats } = rewrite(bytes);
    const largest = stats.largestFrame;
    const rewritten = {
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
    };
    const names = known.unknown_imports.join(', ');
    const refused = unknown.length === 0 ? null : { code: 'unknown_import', message: `no one provides ${names}` };
    return { ...known, rewritten, refused };
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    return { ...known, refused: { code: error.code, message: withAdvice(error) } };
  }
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
