import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteSize, duration, endMessage, exitStatus, parseInterval, printable, table } from './format.ts';
import { requireSignal, signalName } from './signals.ts';

test('sizes and times', () => {
  assert.deepEqual([0, 999, 1000, 1536, 10_240, 5 * 2 ** 30, 2 ** 50].map(byteSize), [
    '0',
    '999',
    '1.0K',
    '1.5K',
    '10K',
    '5.0G',
    '1.0P',
  ]);
  fc.assert(fc.property(fc.double({ min: 0, max: 2 ** 59, noNaN: true }), (n) => byteSize(n).length <= 5));
  assert.deepEqual([0.25, 15, 999.4, 12_345, 245_000, 11_520_000].map(duration), [
    '0.3ms',
    '15ms',
    '999ms',
    '12.3s',
    '4m05s',
    '3h12m',
  ]);
});

test('intervals', () => {
  assert.deepEqual(
    ['20ms', '1s', '500us', '1.5s', '2m', '1440m'].map(parseInterval),
    [20_000, 1_000_000, 500, 1_500_000, 120_000_000, 86_400_000_000],
  );
  for (const text of ['', '20', 'ms', '0ms', '-1s', '1h', '1e3s', '0.1us', '86401s', `${'9'.repeat(400)}s`]) {
    assert.throws(() => parseInterval(text), { code: 'usage' });
  }
});

test('tables are aligned and no wider than the terminal', () => {
  const columns = [
    { title: 'N', right: true, text: ({ n }: { n: number }) => String(n) },
    { title: 'TEXT', text: ({ n }: { n: number }) => 'x'.repeat(n) },
  ];
  assert.deepEqual(table(columns, [{ n: 2 }, { n: 10 }], null), [' N  TEXT', ' 2  xx', '10  xxxxxxxxxx']);
  assert.deepEqual(table(columns, [{ n: 10 }], 8), [' N  TEXT', '10  xxx…']);
});

test("a program's words do not move the reader's cursor", () => {
  assert.equal(printable('a\u001b[2Jb\nc\u009bd'), 'a?[2Jb?c?d');
});

test('the end of a process as exit status and message', () => {
  assert.equal(exitStatus({ how: 'exited', code: 300, message: null }), 44);
  assert.equal(exitStatus({ how: 'signalled', signal: 9, message: null }), 137);
  assert.equal(endMessage({ how: 'signalled', signal: 2, message: null }), null);
  assert.equal(endMessage({ how: 'signalled', signal: 11, message: null }), 'ended by signal SIGSEGV');
  assert.equal(endMessage({ how: 'exited', code: 1, message: 'why' }), 'why');
});

test('signals by name and number', () => {
  assert.deepEqual(['9', 'KILL', 'SIGKILL', 'kill', '0', '31'].map(requireSignal), [9, 9, 9, 9, 0, 31]);
  for (const text of ['32', '-1', 'FOO', '', '9x', '1.5']) assert.throws(() => requireSignal(text), { code: 'usage' });
  assert.equal(signalName(15), 'TERM');
  assert.equal(signalName(99), '99');
});
