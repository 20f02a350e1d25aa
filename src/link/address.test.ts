import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, isLoopback, withHost } from './address.ts';

test('addresses are read and written', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:4000', '127.0.0.1', 4000],
    ['[::1]:0', '::1', 0],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65_535],
    ['node-a.example.org:1', 'node-a.example.org', 1],
  ] as const) {
    assert.deepEqual(parseAddress(text), { host, port });
    assert.equal(formatAddress({ host, port }), text);
  }
});

test('what is no address is refused with an example', () => {
  for (const text of [
    '',
    'host',
    'host:',
    ':1',
    'host:65536',
    'host:-1',
    '::1:4000',
    '[::1]',
    'a b:1',
    'host:1 ',
    '\u001b[2J:1',
    'a\u0007b:1',
  ]) {
    assert.throws(() => parseAddress(text), { code: 'usage', message: /HOST:PORT/ }, text);
  }
});

test('a wildcard is replaced by the host that is seen', () => {
  assert.equal(withHost('0.0.0.0:5', '10.0.0.1'), '10.0.0.1:5');
  assert.equal(withHost('[::]:5', 'fd00::1'), '[fd00::1]:5');
  assert.equal(withHost('host:5', '10.0.0.1'), 'host:5');
});

test('which hosts are the machine itself', () => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assert.ok(isLoopback(host), host);
  for (const host of ['128.0.0.1', '127.example.org', '::', '0.0.0.0', 'fd00::1', 'localhost.example.org']) {
    assert.ok(!isLoopback(host), host);
  }
});
