/**
 * Comparing what may be large: memories, modules, images, lists of thousands. When such differ, `deepEqual` of
 * node:assert looks for the shortest way from one to the other, which for 64 KiB takes more memory than machines have.
 */
import assert from 'node:assert/strict';
import { inspect, isDeepStrictEqual } from 'node:util';

/**
 * As `assert.deepEqual`, but tells of the first difference alone, in time and memory that grow with the length only.
 * @param what is compared, for the message
 */
export function assertSame(actual: unknown, expected: unknown, what = 'it'): void {
  if (!isDeepStrictEqual(actual, expected)) assert.fail(difference(actual, expected, what));
}

function difference(actual: unknown, expected: unknown, where: string): string {
  for (const key of keys(actual, expected)) {
    const [left, right] = [at(actual, key), at(expected, key)];
    if (!isDeepStrictEqual(left, right)) return difference(left, right, `${where}[${key}]`);
  }
  return `${where} is ${short(actual)}, not ${short(expected)}`;
}

/** Of two lists, or two objects; none of anything else, of which all is told. */
function keys(...both: readonly [unknown, unknown]): Iterable<number | string> {
  if (both.every(isList)) return Array(Math.max(...both.map(({ length }) => length))).keys();
  return both.every(isRecord) ? new Set(both.flatMap(Object.keys)) : [];
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value);

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const at = (of: unknown, key: number | string): unknown => (isRecord(of) ? of[key] : undefined);

const short = (value: unknown): string =>
  inspect(value, { depth: 1, maxArrayLength: 8, maxStringLength: 200, breakLength: Infinity });
