/**
 * Modules that must be refused. V8 has to refuse the original; the engine has to refuse what its decoder can see to be
 * malformed, and must never turn a module that is not valid into one that is.
 */
import { GodwitError } from '../../src/base/errors.ts';
import { rewrite } from '../../src/capture/index.ts';

export interface RefusalResult {
  /** Who refused: the engine; V8 the rewritten module; or the reader of the text format, before either. */
  readonly by: 'engine' | 'V8' | 'text' | 'nobody';
  /** '' if it is as it must be. */
  readonly wrong: string;
}

/** @param bytes null if the reader of the text format refused the module */
export function refusal(why: 'malformed' | 'invalid', bytes: Uint8Array<ArrayBuffer> | null): RefusalResult {
  if (bytes === null) return { by: 'text', wrong: '' };
  const original = WebAssembly.validate(bytes) ? 'V8 takes the original' : '';
  const rewritten = rewrittenOrNull(bytes);
  if (rewritten === null) return { by: 'engine', wrong: original };
  if (WebAssembly.validate(rewritten)) return { by: 'nobody', wrong: `it is rewritten into a valid module` };
  return { by: 'V8', wrong: why === 'malformed' ? 'the decoder takes it' : original };
}

function rewrittenOrNull(bytes: Uint8Array): Uint8Array<ArrayBuffer> | null {
  try {
    return rewrite(bytes).module;
  } catch (error) {
    if (error instanceof GodwitError) return null;
    throw error;
  }
}
