import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { exitStatusOf, parseSignal, signalByNumber, signalFromWitx, SIGNALS } from './signals.ts';

test('the numbers are those of Linux', { skip: process.platform !== 'linux' }, () => {
  for (const signal of SIGNALS) {
    const name = `SIG${signal.name}` as NodeJS.Signals;
    assert.equal(os.constants.signals[name], signal.number, name);
  }
});

test('names, numbers and exit statuses', () => {
  for (const text of ['TERM', 'SIGTERM', 'sigterm', 'term', '15']) assert.equal(parseSignal(text)?.name, 'TERM', text);
  for (const text of ['', 'SIG', '0', '32', '99999999999999999999', '-9', '9 ', 'FOO', 'constructor'])
    assert.equal(parseSignal(text), null, text);
  const kill = signalByNumber(9);
  assert.ok(kill);
  assert.equal(exitStatusOf(kill), 137);
});

test('the two numberings part at 16', () => {
  assert.equal(signalFromWitx(0), null);
  assert.equal(signalFromWitx(15)?.name, 'TERM');
  assert.equal(signalFromWitx(16)?.name, 'CHLD');
  assert.equal(signalFromWitx(16)?.number, 17);
  assert.equal(signalFromWitx(30)?.name, 'SYS');
  assert.equal(signalFromWitx(31), null);
});
