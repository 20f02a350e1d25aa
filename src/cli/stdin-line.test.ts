import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { readLine } from './stdin-line.ts';

const line = (...parts: string[]): Promise<string> =>
  readLine(Readable.from(parts.map((part) => Buffer.from(part))), 'token');

test('the first line, however it comes', async () => {
  assert.equal(await line('gdw1.abc\n'), 'gdw1.abc');
  assert.equal(await line('gdw', '1.a', 'bc\r\nmore'), 'gdw1.abc');
  assert.equal(await line('gdw1.abc'), 'gdw1.abc');
});

test('nothing, and too much, is refused', async () => {
  await assert.rejects(line(), { code: 'usage', message: /no token/ });
  await assert.rejects(line('\n'), { code: 'usage' });
  await assert.rejects(line(...Array.from({ length: 100 }, () => 'x'.repeat(100))), { code: 'usage' });
});

test('the stream can be followed to its end afterwards', async () => {
  const input = new PassThrough();
  const read = readLine(input, 'token');
  input.write('abc\n');
  assert.equal(await read, 'abc');
  const end = once(input.resume(), 'end');
  input.end('more');
  await end;
});
