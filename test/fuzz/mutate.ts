/** Changes to inputs that keep most of their form, so that they get further than random bytes would. */
import type { SeededRandom } from '../../src/base/virtual.ts';

/** @param other an input to take a part from */
export type Mutate = (random: SeededRandom, input: Uint8Array, other: Uint8Array) => Uint8Array;

/** Where sizes and counts go wrong: around the borders of bytes, signs and encodings. */
const BORDERS = [0, 1, 2, 3, 4, 7, 8, 16, 32, 64, 127, 128, 255, 256, 4095, 4096, 16_383, 16_384, 65_535, 65_536];
const LARGE = [2 ** 20, 2 ** 21, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];

/** A number that a size, a count or an index could wrongly be. @param around what it is */
export function oddNumber(random: SeededRandom, around: number): number {
  const choice = random.below(4);
  if (choice === 0) return Math.max(0, around + random.below(5) - 2);
  const list = choice === 3 ? LARGE : BORDERS;
  return list[random.below(list.length)]!;
}

export function replaced(input: Uint8Array, start: number, end: number, by: Uint8Array): Uint8Array {
  const made = new Uint8Array(start + by.length + input.length - end);
  made.set(input.subarray(0, start));
  made.set(by, start);
  made.set(input.subarray(end), start + by.length);
  return made;
}

/** A range of up to `most` bytes. */
function range(random: SeededRandom, length: number, most = length): [number, number] {
  const start = random.below(length + 1);
  return [start, start + random.below(Math.min(length - start, most) + 1)];
}

const CHANGES: readonly Mutate[] = [
  function flipBit(random, input) {
    if (input.length === 0) return input;
    const made = input.slice();
    made[random.below(made.length)]! ^= 1 << random.below(8);
    return made;
  },
  function setByte(random, input) {
    if (input.length === 0) return input;
    const made = input.slice();
    made[random.below(made.length)] = random.below(2) === 0 ? random.below(256) : oddNumber(random, 0);
    return made;
  },
  function setInteger(random, input) {
    if (input.length < 4) return input;
    const made = input.slice();
    const view = new DataView(made.buffer);
    const at = random.below(made.length - 3);
    view.setUint32(at, oddNumber(random, view.getUint32(at, true)), true);
    return made;
  },
  function remove(random, input) {
    const [start, end] = range(random, input.length, 64);
    return replaced(input, start, end, new Uint8Array(0));
  },
  function repeat(random, input) {
    const [start, end] = range(random, input.length, 64);
    const part = input.slice(start, end);
    const times = 1 + random.below(random.below(8) === 0 ? 300 : 3);
    const parts = new Uint8Array(part.length * times);
    for (let i = 0; i < times; i++) parts.set(part, i * part.length);
    return replaced(input, end, end, parts);
  },
  function takeFrom(random, input, other) {
    const [start, end] = range(random, other.length, 256);
    const at = random.below(input.length + 1);
    const until = random.below(2) === 0 ? at : Math.min(input.length, at + end - start);
    return replaced(input, at, until, other.subarray(start, end));
  },
  (random, input) => input.slice(0, random.below(input.length + 1)),
];

/** For formats of bytes, little-endian integers and sized parts. */
export const mutateBytes: Mutate = (random, input, other) =>
  CHANGES[random.below(CHANGES.length)]!(random, input, other);
