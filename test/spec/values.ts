/**
 * Arguments and results of an action as code. Constants keep the form that they have in the script, and results are
 * compared by their bits inside WebAssembly: JavaScript has no v128, and does not keep the payload of a NaN.
 */
import type { Value } from './script.ts';

/** The code of one result's comparison. */
export interface Comparison {
  /** Takes the result from the operand stack, pushes 1 if it is right. Hands host objects over through a local. */
  readonly code: string;
  /** Type of a local that `code` needs under the name that it was given, null for none. */
  readonly local: string | null;
  /** The number of the host object that the local holds behind the comparison; null if there is none. */
  readonly host: number | null;
}

/**
 * @param hosts collects the numbers of the host objects that the code wants as parameters, in this order
 * @param nonNull the module has types without null: then a reference to a host object is made one of these
 */
export function pushValue({ head, words }: Value, hosts: number[], nonNull: boolean): string {
  if (head === 'ref.extern' || head === 'ref.host') {
    const get = `(local.get ${hosts.push(Number(words[0])) - 1})`;
    const reference = nonNull ? `(ref.as_non_null ${get})` : get;
    return head === 'ref.extern' ? reference : `(any.convert_extern ${reference})`;
  }
  return `(${[head, ...words].join(' ')})`;
}

/** @param local a name for the local that the comparison may need */
export function compareValue(expected: Value, local: string): Comparison {
  const { head, words, choices } = expected;
  if (head === 'either') {
    const type = choices[0]!.head.replace('.const', '');
    const each = choices.map((choice) => `local.get ${local} ${compareBits(choice)}`);
    return {
      code: `local.set ${local} ${each.join(' ')} ${'i32.or '.repeat(each.length - 1)}`,
      local: type,
      host: null,
    };
  }
  if ((head === 'ref.extern' || head === 'ref.host') && words.length > 0) {
    const convert = head === 'ref.host' ? 'extern.convert_any ' : '';
    return { code: `${convert}local.set ${local} i32.const 1`, local: 'externref', host: Number(words[0]) };
  }
  return { code: head.startsWith('ref.') ? compareReference(head) : compareBits(expected), local: null, host: null };
}

/** References that are told by their kind alone. */
function compareReference(head: string): string {
  if (head === 'ref.null') return 'ref.is_null';
  const kind = head.slice('ref.'.length);
  return ['i31', 'struct', 'array', 'eq'].includes(kind) ? `ref.test (ref ${kind})` : 'ref.is_null i32.eqz';
}

interface Float {
  readonly bits: number;
  readonly canonical: string;
  readonly arithmetic: string;
  readonly quiet: string;
}

/** Masks: all but the sign must be that of the canonical NaN; exponent and quiet bit must be set. */
const FLOATS: Readonly<Record<string, Float>> = {
  f32: { bits: 32, canonical: '0x7fffffff', arithmetic: '0x7fc00000', quiet: '0x7fc00000' },
  f64: {
    bits: 64,
    canonical: '0x7fffffffffffffff',
    arithmetic: '0x7ff8000000000000',
    quiet: '0x7ff8000000000000',
  },
};

function maskOf(word: string, float: Float): string | null {
  if (word === 'nan:canonical') return float.canonical;
  return word === 'nan:arithmetic' ? float.arithmetic : null;
}

/** Takes a number or vector from the stack and pushes 1 if it is the expected one. */
function compareBits({ head, words }: Value): string {
  const type = head.replace('.const', '');
  const literal = words.join(' ');
  if (type === 'v128') return compareVector(words[0]!, words.slice(1));
  const float = FLOATS[type];
  if (float === undefined) return `${type}.const ${literal} ${type}.eq`;
  const int = `i${float.bits}`;
  const reinterpret = `${int}.reinterpret_${type}`;
  const mask = maskOf(literal, float);
  if (mask !== null) return `${reinterpret} ${int}.const ${mask} ${int}.and ${int}.const ${float.quiet} ${int}.eq`;
  return `${reinterpret} ${type}.const ${literal} ${reinterpret} ${int}.eq`;
}

function compareVector(shape: string, lanes: readonly string[]): string {
  const [lane = ''] = shape.split('x');
  const float = FLOATS[lane];
  const masks = lanes.map((word) => (float === undefined ? null : maskOf(word, float)));
  if (masks.every((mask) => mask === null)) {
    return `v128.const ${shape} ${lanes.join(' ')} i8x16.eq i8x16.all_true`;
  }
  const { bits, quiet } = float!;
  const ones = `0x${'f'.repeat(bits / 4)}`;
  const mask = `v128.const i${bits}x${lanes.length} ${masks.map((mask) => mask ?? ones).join(' ')}`;
  const plain = `v128.const ${shape} ${lanes.map((word, i) => (masks[i] === null ? word : '0')).join(' ')}`;
  const nans = `v128.const i${bits}x${lanes.length} ${masks.map((mask) => (mask === null ? '0' : quiet)).join(' ')}`;
  return `${mask} v128.and ${plain} ${nans} v128.or i8x16.eq i8x16.all_true`;
}
