/**
 * Changes of WebAssembly modules that know of sections, sizes, counts and bodies: most leave the rest of the module in
 * place, so that what comes behind the change is looked at as well.
 */
import type { SeededRandom } from '../../src/base/virtual.ts';
import { type Mutate, mutateBytes, oddNumber, replaced } from './mutate.ts';

const PREAMBLE_BYTES = 8;
const CODE = 10;

interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

/** A number in LEB128 and the bytes that it takes. */
interface Leb {
  readonly value: number;
  readonly bytes: number;
}

function readLeb(bytes: Uint8Array, at: number): Leb | null {
  let value = 0;
  for (let i = 0; i < 5 && at + i < bytes.length; i++) {
    const byte = bytes[at + i]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, bytes: i + 1 };
  }
  return null;
}

/** @param padded bytes that it takes at least: more than needed is allowed up to 5, and wrong beyond */
function leb(value: number, padded = 1): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length < padded; rest = Math.floor(rest / 128))
    bytes.push((rest % 128) | 0x80);
  bytes[bytes.length - 1]! &= 0x7f;
  return Uint8Array.from(bytes);
}

/** As far as it can be read; what follows is one more section. */
function sectionsOf(module: Uint8Array): Section[] {
  const sections: Section[] = [];
  let at = PREAMBLE_BYTES;
  while (at < module.length) {
    const size = readLeb(module, at + 1);
    const start = at + 1 + (size?.bytes ?? 0);
    const end = Math.min(module.length, start + (size?.value ?? module.length));
    sections.push({ id: module[at]!, content: module.subarray(start, end) });
    at = end;
  }
  return sections;
}

function moduleOf(preamble: Uint8Array, sections: readonly Section[]): Uint8Array {
  const parts = sections.flatMap(({ id, content }) => [Uint8Array.of(id), leb(content.length), content]);
  return new Uint8Array(Buffer.concat([preamble.subarray(0, PREAMBLE_BYTES), ...parts]));
}

type ChangeSections = (random: SeededRandom, sections: Section[], others: readonly Section[]) => void;

/** Changes a section's content, and its size with it. */
function inside(change: (random: SeededRandom, content: Uint8Array) => Uint8Array, only?: number): ChangeSections {
  return (random, sections) => {
    const found = sections.filter(({ id, content }) => content.length > 0 && (only === undefined || id === only));
    const section = found[random.below(Math.max(1, found.length))];
    if (section === undefined) return;
    sections[sections.indexOf(section)] = { id: section.id, content: change(random, section.content) };
  };
}

/** One number, wherever it is: made another one, or written in more bytes than it needs. */
function changeNumber(random: SeededRandom, content: Uint8Array): Uint8Array {
  const at = random.below(3) === 0 ? 0 : random.below(content.length + 1);
  const found = readLeb(content, at);
  if (found === null) return content;
  const { value, bytes } = found;
  const made = random.below(4) === 0 ? leb(value, bytes + random.below(6)) : leb(oddNumber(random, value));
  return replaced(content, at, at + bytes, made);
}

/** Changes the code of a function, and its size with it. */
function inBody(change: (random: SeededRandom, body: Uint8Array) => Uint8Array): ChangeSections {
  return inside((random, content) => {
    let at = readLeb(content, 0)?.bytes ?? 0;
    const bodies: [number, number, number][] = [];
    while (at < content.length) {
      const size = readLeb(content, at);
      if (size === null) break;
      const start = at + size.bytes;
      const end = Math.min(content.length, start + size.value);
      bodies.push([at, start, end]);
      at = end;
    }
    const [head, start, end] = bodies[random.below(Math.max(1, bodies.length))] ?? [0, 0, 0];
    const body = change(random, content.slice(start, end));
    return replaced(content, head, end, Buffer.concat([leb(body.length), body]));
  }, CODE);
}

const DEPTHS = [1, 10, 1000, 30_000];
/** block, loop, if behind a condition, try_table with a catch of all, try; each of no type. */
const OPENINGS = [
  [0x02, 0x40],
  [0x03, 0x40],
  [0x41, 0, 0x04, 0x40],
  [0x1f, 0x40, 1, 2, 0],
  [0x06, 0x40],
];

/** Puts many blocks into each other. */
function nest(random: SeededRandom, body: Uint8Array): Uint8Array {
  const depth = DEPTHS[random.below(DEPTHS.length)]!;
  const opening = Uint8Array.from(OPENINGS[random.below(OPENINGS.length)]!);
  const blocks = new Uint8Array(depth * (opening.length + 1)).fill(0x0b);
  for (let i = 0; i < depth; i++) blocks.set(opening, i * opening.length);
  // Behind the locals, if they are few; wherever that is, the numbers before it stay.
  const at = Math.min(body.length, 1 + 2 * (body[0] ?? 0));
  return replaced(body, at, at, blocks);
}

const CHANGES: readonly ChangeSections[] = [
  (random, sections) => void sections.splice(random.below(sections.length), 1),
  (random, sections) => {
    const from = random.below(sections.length);
    const [moved] = sections.splice(from, 1);
    if (moved !== undefined) sections.splice(random.below(sections.length + 1), 0, moved);
  },
  (random, sections) => {
    const at = random.below(sections.length);
    sections.splice(at, 0, sections[at]!);
  },
  (random, sections) => {
    const at = random.below(sections.length);
    sections[at] = { id: random.below(16), content: sections[at]!.content };
  },
  (random, sections, others) => {
    if (others.length === 0) return;
    const taken = others[random.below(others.length)]!;
    const same = sections.findIndex(({ id }) => id === taken.id);
    if (same >= 0 && random.below(2) === 0) sections[same] = taken;
    else sections.splice(random.below(sections.length + 1), 0, taken);
  },
  inside(changeNumber),
  inside(changeNumber),
  inside(changeNumber),
  inside((random, content) => mutateBytes(random, content, content)),
  inside((random, content) => mutateBytes(random, content, content)),
  inBody(changeNumber),
  inBody((random, body) => mutateBytes(random, body, body)),
  inBody((random, body) => mutateBytes(random, body, body)),
  inBody(nest),
];

export const mutateModule: Mutate = (random, input, other) => {
  const sections = input.length > PREAMBLE_BYTES ? sectionsOf(input) : [];
  // Now and then bytes wherever they are: sizes of sections, and the preamble.
  if (sections.length === 0 || random.below(8) === 0) return mutateBytes(random, input, other);
  CHANGES[random.below(CHANGES.length)]!(random, sections, other.length > PREAMBLE_BYTES ? sectionsOf(other) : []);
  return moduleOf(input, sections);
};
