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
    assert.equal(page.missing, 0);
    encodeToClient({ kind: 'answer', id: 1, body: encode(callCodecs('logs').result, page) });
    lines.push(...page.lines);
    after = page.next;
    if (page.complete) return lines;
  }
}

function bookOf(parts: readonly Uint8Array[]): LogBook {
  const book = new LogBook(() => 1);
  const log = book.detached();
  log.started(PID);
  const cutter = new LineCutter((text) => log.add('stdout', text));
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

/** A detached process that has written these lines. */
function writer(book: LogBook, pid: number, lines: number, length = 1): ReturnType<LogBook['detached']> {
  const log = book.detached();
  log.started(pid);
  for (let i = 1; i <= lines; i++) log.add('stdout', String(i).padEnd(length));
  return log;
}

const firstPage = (book: LogBook, pid: number | null, after = 0) => book.read({ pid, after, wait: false }, () => false);

test('a log keeps as many lines as it may, and says how many it does not', async () => {
  const book = new LogBook(() => 1);
  const log = writer(book, PID, LIMITS.logLines + 15_000);
  const { missing, lines, next, last } = await firstPage(book, PID);
  assert.deepEqual([missing, lines[0]?.text, next], [15_000, '15001', 15_000 + LIMITS.logPageLines]);
  assert.equal(last, LIMITS.logLines + 15_000);
  assert.equal((await firstPage(book, PID, next)).missing, 0);
  // A reader that is too slow.
  for (let i = 0; i < LIMITS.logLines; i++) log.add('stdout', 'more');
  const later = await firstPage(book, PID, next);
  assert.deepEqual([later.missing, later.lines[0]?.text], [LIMITS.logLines - LIMITS.logPageLines, 'more']);
});

test('long lines are fewer', async () => {
  const book = new LogBook(() => 1);
  writer(book, PID, 1000, LIMITS.logLineUnits);
  const kept = Math.floor(LIMITS.logUnits / (LIMITS.logLineUnits + LIMITS.logEntryUnits));
  assert.equal((await firstPage(book, PID)).missing, 1000 - kept);
});

// Where each line moved all that are kept, this took minutes, in which the node did nothing else.
test('a program that writes nothing but ends of lines holds nobody up', { timeout: 60_000 }, async () => {
  const writes = 32;
  const book = bookOf(Array.from({ length: writes }, () => new Uint8Array(LIMITS.pipeBytes).fill(10)));
  const { missing, last } = await firstPage(book, PID);
  assert.deepEqual([missing, last], [writes * LIMITS.pipeBytes - LIMITS.logLines, writes * LIMITS.pipeBytes]);
});

test('who talks much costs neither the node nor another process their lines', async () => {
  const book = new LogBook(() => 1);
  book.add('info', 'node started', null);
  writer(book, PID, 1);
  writer(book, PID + 1, 2 * LIMITS.logLines);
  assert.deepEqual(
    (await firstPage(book, null)).lines.map(({ text }) => text),
    ['node started'],
  );
  assert.deepEqual(
    (await firstPage(book, PID)).lines.map(({ text }) => text),
    ['1'],
  );
});

test('all logs together have a bound, which costs the longest', async () => {
  const book = new LogBook(() => 1);
  writer(book, PID, 3);
  const others = Math.ceil((3 * LIMITS.allLogsUnits) / LIMITS.logUnits);
  for (let i = 1; i <= others; i++) writer(book, PID + i, 1000, LIMITS.logLineUnits).ended();
  assert.equal((await firstPage(book, PID)).missing, 0);
  let kept = 0;
  for (let i = 1; i <= others; i++) {
    const { missing, lines } = await firstPage(book, PID + i);
    assert.ok(missing > 0 && lines.length > 0);
    kept += (1000 - missing) * LIMITS.logLineUnits;
  }
  assert.ok(kept <= LIMITS.allLogsUnits, `${kept} units are kept`);
});

test('all logs together have that bound also if each is one line: the oldest that have ended are forgotten', () => {
  const book = new LogBook(() => 1);
  writer(book, PID, 1, LIMITS.logLineUnits);
  const fit = Math.floor(LIMITS.allLogsUnits / (LIMITS.logLineUnits + LIMITS.logEntryUnits));
  const ended = Array.from({ length: fit + 10 }, (_, i) => PID + 1 + i);
  for (const pid of ended) writer(book, pid, 1, LIMITS.logLineUnits).ended();
  assert.ok(book.knows(PID), 'it runs');
  assert.deepEqual(
    ended.filter((pid) => !book.knows(pid)),
    ended.slice(0, 11),
  );
});

test('all logs together have that bound also if each is one line of a process that runs', async () => {
  const book = new LogBook(() => 1);
  const fit = Math.floor(LIMITS.allLogsUnits / (LIMITS.logLineUnits + LIMITS.logEntryUnits));
  const running = Array.from({ length: fit + 10 }, (_, i) => PID + i);
  const logs = running.map((pid) => writer(book, pid, 1, LIMITS.logLineUnits));
  const pages = await Promise.all(running.map((pid) => firstPage(book, pid)));
  assert.equal(pages.filter(({ lines }) => lines.length === 1).length, fit);
  assert.ok(pages.every(({ missing, lines, last }) => missing + lines.length === 1 && last === 1));
  // What is not kept is told with the next line, or alone.
  logs[0]?.add('stdout', 'more');
  assert.deepEqual(await firstPage(book, PID), {
    missing: 1,
    lines: [{ time: 1, level: 'stdout', text: 'more' }],
    next: 2,
    last: 2,
    complete: false,
  });
});

test('logs that are forgotten do not count, whether a pid comes round again or output comes late', async () => {
  const book = new LogBook(() => 1);
  const others = LIMITS.rememberedEnds;
  const whole = Math.floor(LIMITS.logUnits / (LIMITS.logLineUnits + LIMITS.logEntryUnits));
  const rounds = Math.ceil((2 * LIMITS.allLogsUnits) / LIMITS.logUnits);
  for (let i = 0; i < rounds; i++) writer(book, PID, whole, LIMITS.logLineUnits).ended();
  const late = writer(book, PID + 1, 1);
  late.ended();
  for (let i = 2; i <= others + 1; i++) writer(book, PID + i, 1).ended();
  assert.equal(book.knows(PID + 1), false);
  for (let i = 0; i < rounds * whole; i++) late.add('stdout', 'x'.repeat(LIMITS.logLineUnits));
  // Less than all logs may take: nobody loses a line.
  const some = Math.floor((0.9 * LIMITS.allLogsUnits) / LIMITS.logUnits);
  for (let i = 1; i <= some; i++) writer(book, PID + others + 1 + i, whole, LIMITS.logLineUnits);
  for (let i = 1; i <= some; i++) assert.equal((await firstPage(book, PID + others + 1 + i)).missing, 0);
});

test('logs of processes that ended long ago are forgotten, not those of processes that run', async () => {
  const book = new LogBook(() => 1);
  writer(book, PID, 1);
  for (let i = 1; i <= LIMITS.rememberedEnds + 1; i++) writer(book, PID + i, 1).ended();
  assert.deepEqual(
    [PID, PID + 1, PID + 2].map((pid) => book.knows(pid)),
    [true, false, true],
  );
});

test("what the node says of a detached process is in both logs, of another one in the node's", async () => {
  const book = new LogBook(() => 1);
  const log = writer(book, PID, 1);
  book.add('info', 'process ended', PID);
  book.add('info', 'process ended', PID + 1);
  log.ended();
  const texts = async (pid: number | null): Promise<string[]> =>
    (await firstPage(book, pid)).lines.map(({ text }) => text);
  assert.deepEqual(await texts(PID), ['1', 'process ended']);
  assert.deepEqual(await texts(PID + 1), ['process ended']);
  assert.deepEqual(await texts(null), ['process ended', 'process ended']);
});

test('a reader that waits gets what comes, and the end', async () => {
  const book = new LogBook(() => 1);
  const log = writer(book, PID, 1);
  let over = false;
  const read = (after: number) => book.read({ pid: PID, after, wait: true }, () => over);
  const next = read(1);
  log.add('stdout', 'more');
  assert.deepEqual((await next).lines, [{ time: 1, level: 'stdout', text: 'more' }]);
  const last = read(2);
  over = true;
  log.ended();
  assert.deepEqual(await last, { missing: 0, lines: [], next: 2, last: 2, complete: true });
});

test('a reader that is gone is kept no longer', async () => {
  const book = new LogBook(() => 1);
  writer(book, PID, 1);
  const gone = new AbortController();
  const reads = [1, 2].map(() => book.read({ pid: PID, after: 1, wait: true }, () => false, gone.signal));
  gone.abort();
  for (const page of await Promise.all(reads)) assert.deepEqual([page.lines, page.complete], [[], false]);
  const later = await book.read({ pid: PID, after: 1, wait: true }, () => false, gone.signal);
  assert.deepEqual(later.lines, []);
});
