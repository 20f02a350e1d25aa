/**
 * Texts of an operating system: words of a command line, entries of an environment, paths. On Linux they are bytes,
 * mostly UTF-8. Here they are strings all the same, in which each byte that is not part of any UTF-8 is a lone
 * surrogate, U+DC80 to U+DCFF (as in Python, PEP 383): they are split, joined and compared like other texts, and
 * become the same bytes again. Where such a string is shown, those bytes are U+FFFD.
 */
import { decodeUtf8, encodeUtf8 } from './bytes.ts';

/** What is added to a byte from 0x80 on. */
const ESCAPE = 0xdc00;

/** Any bytes as a text; those of UTF-8 as what they say. */
export function decodeOsText(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  for (let at = 0; at < bytes.length;) {
    const size = sequenceAt(bytes, at);
    if (size > 0) {
      at += size;
      continue;
    }
    text += decodeUtf8(bytes.subarray(start, at)) + String.fromCharCode(ESCAPE + bytes[at]!);
    start = ++at;
  }
  return text + decodeUtf8(bytes.subarray(start));
}

/** The bytes of a text: of one that {@link decodeOsText} has made the same ones, of any other its UTF-8. */
export function encodeOsText(text: string): Uint8Array<ArrayBuffer> {
  if (text.isWellFormed()) return encodeUtf8(text);
  const parts = text
    .split(/([\udc80-\udcff]+)/u)
    .map((part, i) => (i % 2 === 0 ? encodeUtf8(part) : Uint8Array.from(part, (byte) => byte.charCodeAt(0) - ESCAPE)));
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Bytes of the UTF-8 character at `at`; 0 if there is none (Unicode 16, table 3-7). */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const [least, most] = SECOND.get(lead) ?? [0x80, 0xbf];
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let i = 2; i < size; i++) if ((bytes[at + i] ?? 0) >> 6 !== 0b10) return 0;
  return size;
}

/** Second bytes that may follow, where not all do: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
const SECOND: ReadonlyMap<number, readonly [least: number, most: number]> = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);
