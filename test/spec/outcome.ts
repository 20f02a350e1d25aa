/** How an action or an instantiation ended, in terms that can be compared between an original and a rewritten module. */
import { GodwitError } from '../../src/base/errors.ts';

export type Outcome =
  | { readonly type: 'returned'; readonly value: unknown }
  /** `where` names functions and offsets in the original module, innermost first; '' if they are not known. */
  | { readonly type: 'trap'; readonly message: string; readonly where: string }
  | { readonly type: 'exhaustion' | 'exception' | 'link' }
  /** The rewriter does not take the module, or one that it is linked to. */
  | { readonly type: 'refused'; readonly feature: string };

/** A module that needs another one which the rewriter refused. */
export class Refused extends Error {
  readonly feature: string;

  constructor(feature: string) {
    super(`refused: ${feature}`);
    this.feature = feature;
  }
}

/**
 * @param where tells where a trap arose
 * @throws whatever is none of the known ends: a bug of the engine or of the test
 */
export function outcomeOf(run: () => unknown, where: (trap: WebAssembly.RuntimeError) => string = () => ''): Outcome {
  try {
    return { type: 'returned', value: run() };
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError)
      return { type: 'trap', message: trapMessage(error.message), where: where(error) };
    if (error instanceof RangeError && error.message === 'Maximum call stack size exceeded')
      return { type: 'exhaustion' };
    if (error instanceof WebAssembly.Exception) return { type: 'exception' };
    if (error instanceof WebAssembly.LinkError) return { type: 'link' };
    if (error instanceof Refused) return { type: 'refused', feature: error.feature };
    if (error instanceof GodwitError && error.code === 'unsupported_feature')
      return { type: 'refused', feature: featureOf(error.message) };
    throw error;
  }
}

/**
 * V8 words it differently if a segment does not fit while it instantiates a module; in a rewritten one, code copies the
 * segments.
 */
function trapMessage(message: string): string {
  const plain = message.replace('WebAssembly.Instance(): ', '');
  return /^data segment \d+ is out of bounds/.test(plain) ? 'memory access out of bounds' : plain;
}

/** `offset 0x1f: the module uses exceptions (a tag section)`: the words up to the parenthesis. */
function featureOf(message: string): string {
  return /uses ([^(]*[^( ])/.exec(message)?.[1] ?? message;
}
