/** Modules in the text format, for tests that need one in particular. */
import binaryen from 'binaryen';

/** All but a shorter encoding of imports that engines do not know; Binaryen's declarations do not name it. */
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- an enum of flags that are joined
const FEATURES: binaryen.Features = binaryen.Features.All & ~0x400_0000;

/** @throws Error if the text is not valid */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(FEATURES);
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}
