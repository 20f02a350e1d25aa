import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { callCodecs, encodeToClient } from '../admin/protocol.ts';
import { LIMITS } from '../base/limits.ts';
import { encode } from '../base/schema.ts';
import type { LogLine } from './daemon.ts';
import { LineCutter, LogBook } from './log-book.ts';

const PID = 65_537;

/** All lines about the process, page by page, each in the message that a client gets. */
async function pages(book: LogBook): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let after = 0; ;) {
    const page = await book.read({ pid: PID, after, wait: false }, () => true);
    encodeToClient({ kind: 'answer', id: 1, body: encode(callCodecs('logs').result, page) });
    lines.push(...page.lines);
    after = page.next;
    if (page.complete) return lines;
  }
}

function bookOf(parts: readonly Uint8Array[]): LogBook {
  const book = new LogBook(() => 1);
  const cutter = new LineCutter((text) => book.add('stdout', text, PID));
  for (const part of parts) cutter.push(part);
  cutter.end();
  return book;
}

test('output comes back line by line, whatever the parts that it was written in', async () => {
  const text = fc.array(fc.stringMatching(/^[a-z]{0,9}$/), { minLength: 1, maxLength: 9 }).map((l) => l.join('\n'));
  await fc.assert(
    fc.asyncProperty(text, fc.nat(7), async (whole, size) => {
      const bytes = Buffer.from(whole);
      const parts = Array.from(bytes, (_, i) => i)
        .filter((i) => i % (size + 1) === 0)
        .map((i) => bytes.subarray(i, i + size + 1));
      const lines = await pages(bookOf(parts));
      assert.deepEqual(
        lines.map((line) => line.text),
        whole.split('\n').slice(0, whole.endsWith('\n') || whole === '' ? -1 : undefined),
      );
    }),
  );
});

test('output that is no text, and has no lines, can be read back all the same', async () => {
  // Each byte becomes U+FFFD, three bytes of a message: the most that output can grow.
  const lines = await pages(bookOf(Array.from({ length: 40 }, () => new Uint8Array(LIMITS.pipeBytes).fill(0xff))));
  assert.equal(lines.map(({ text }) => text).join(''), '\ufffd'.repeat(40 * LIMITS.pipeBytes));
  assert.ok(lines.every(({ text }) => text.length <= LIMITS.logLineUnits));
});

test('only the last lines are kept', async () => {
  const book = new LogBook(() => 1);
  const more = 12_000;
  for (let i = 1; i <= more; i++) book.add('info', `line ${i}`, i === 1 ? PID + 1 : PID);
  const lines = await pages(book);
  assert.equal(lines.length, 10_000);
  assert.deepEqual([lines[0]?.text, lines.at(-1)?.text], ['line 2001', `line ${more}`]);
  assert.equal(book.knows(PID + 1), false);
});

test('a long line is not cut within a character', async () => {
  const text = `x${'😀'.repeat(LIMITS.logLineUnits)}`;
  const book = new LogBook(() => 1);
  book.add('info', text, PID);
  const lines = await pages(book);
  assert.equal(lines.map((line) => line.text).join(''), text);
  assert.ok(lines.every((line) => line.text.isWellFormed()));
});
