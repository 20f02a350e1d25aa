import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeOsText, encodeOsText } from './os-text.ts';
import { fuzzed } from './testing/fuzzed.ts';

/** Bytes that are often nearly UTF-8. */
const bytes = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.string({ unit: 'binary', maxLength: 3 }).map(encodeOsText)))
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

test('any bytes come back, and joined texts are joined bytes', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.deepEqual(encodeOsText(decodeOsText(a)), a);
      assert.deepEqual(Buffer.from(encodeOsText(decodeOsText(a) + decodeOsText(b))), Buffer.concat([a, b]));
    }),
    fuzzed(2000),
  );
});

test('what is UTF-8 is the text that it says, and nothing else is', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const told = (input: Uint8Array): string | null => {
    try {
      return strict.decode(input);
    } catch {
      return null;
    }
  };
  fc.assert(
    fc.property(bytes, (input) => {
      const text = decodeOsText(input);
      assert.equal(text.isWellFormed() ? text : null, told(input));
    }),
    fuzzed(2000),
  );
});

test('each byte that is not UTF-8 is a character of its own', () => {
  for (const [input, text] of [
    [[0xff, 0xfe, 0x41], '\udcff\udcfeA'],
    // Cut, overlong, a surrogate, beyond the last character, a lone continuation.
    [[0xe4, 0xbd], '\udce4\udcbd'],
    [[0xc0, 0xaf], '\udcc0\udcaf'],
    [[0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    [[0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
    [[0x80], '\udc80'],
    [[0xf0, 0x9f, 0x90, 0xa6, 0x9f], '\u{1f426}\udc9f'],
  ] as const) {
    assert.equal(decodeOsText(Uint8Array.from(input)), text);
    assert.deepEqual(encodeOsText(text), Uint8Array.from(input));
  }
});

test('surrogates that stand for no byte become what UTF-8 has for them', () => {
  assert.deepEqual(encodeOsText('\ud800x\udc7f'), new TextEncoder().encode('\ufffdx\ufffd'));
});
