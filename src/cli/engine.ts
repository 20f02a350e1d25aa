/** The capture engine, loaded only by the commands that need it, and what they ask of it. */
import { readFileSync } from 'node:fs';
import { isPreview1Name } from '../abi/preview1.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { reasonOf } from './report.ts';

/** Of src/capture/rewrite.ts. */
export interface Rewriter {
  readonly rewrite: (original: Uint8Array) => {
    readonly module: Uint8Array<ArrayBuffer>;
    readonly stats: {
      readonly functions: number;
      readonly wrapped: number;
      readonly sites: number;
      readonly polls: number;
      readonly codeBytesBefore: number;
      readonly codeBytesAfter: number;
      readonly bytesBefore: number;
      readonly bytesAfter: number;
      readonly droppedSections: readonly string[];
    };
  };
}

/** Of src/wasm/decode.ts. */
interface Decoder {
  readonly decodeModule: (bytes: Uint8Array) => {
    readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: string }[];
    readonly exports: readonly { readonly name: string }[];
    readonly memory: { readonly minimum: number; readonly maximum: number | null } | null;
    readonly start: number | null;
  };
}

// The specifiers are variables because the modules are written elsewhere.
const REWRITE: string = new URL('../capture/rewrite.ts', import.meta.url).href;
const DECODE: string = new URL('../wasm/decode.ts', import.meta.url).href;

export async function loadRewriter(): Promise<Rewriter> {
  return (await import(REWRITE)) as Rewriter;
}

/** @throws GodwitError `io` or `limit`, naming the file as it was given */
export function readModule(file: string, absolute: string): Uint8Array {
  try {
    const bytes = readFileSync(absolute);
    if (bytes.length <= LIMITS.moduleBytes) return bytes;
  } catch (error) {
    throw new GodwitError('io', `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
  throw new GodwitError('limit', `${file} is larger than the ${LIMITS.moduleBytes} bytes that a module may have`);
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
  readonly memory: { readonly minimum: number; readonly maximum: number | null } | null;
  readonly rewritten: {
    readonly functions: number;
    /** Functions that can be on a captured stack. */
    readonly capturable: number;
    readonly safepoints: number;
    readonly polls: number;
    readonly code_bytes: number;
    readonly rewritten_code_bytes: number;
    readonly rewritten_bytes: number;
    readonly dropped_sections: readonly string[];
  } | null;
}

const WASI = 'wasi_snapshot_preview1';

export async function inspect(bytes: Uint8Array): Promise<Inspection> {
  const { decodeModule } = (await import(DECODE)) as Decoder;
  const { rewrite } = await loadRewriter();
  const nothing = { bytes: bytes.length, imports: [], unknown_imports: [], exports: [], memory: null, rewritten: null };
  let known: Inspection = { ...nothing, refused: null };
  try {
    const module = decodeModule(bytes);
    const unknown = module.imports.filter(({ module, name }) => module !== WASI || !isPreview1Name(name));
    known = {
      ...known,
      imports: module.imports.map(fullName),
      unknown_imports: unknown.map(fullName),
      exports: module.exports.map(({ name }) => name),
      memory: module.memory && { minimum: module.memory.minimum, maximum: module.memory.maximum },
    };
    const { stats } = rewrite(bytes);
    const rewritten = {
      functions: stats.functions,
      capturable: stats.wrapped,
      safepoints: stats.sites,
      polls: stats.polls,
      code_bytes: stats.codeBytesBefore,
      rewritten_code_bytes: stats.codeBytesAfter,
      rewritten_bytes: stats.bytesAfter,
      dropped_sections: stats.droppedSections,
    };
    const names = known.unknown_imports.join(', ');
    const refused = unknown.length === 0 ? null : { code: 'unknown_import', message: `no one provides ${names}` };
    return { ...known, rewritten, refused };
  } catch (error) {
    if (error instanceof GodwitError) return { ...known, refused: { code: error.code, message: error.message } };
    throw error;
  }
}

const fullName = ({ module, name }: { readonly module: string; readonly name: string }): string => `${module}.${name}`;
