import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO } from './errno.ts';
import { renderSyscalls } from './document.ts';
import { CALL_NAMES } from './preview1.ts';
import { traceLine } from './trace.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('lines in the manner of strace', () => {
  assert.equal(
    traceLine('fd_write', { fd: 1, buffers: [bytes('hel'), bytes('lo\n"\0\u00ff')] }, { results: { count: 6 } }),
    'fd_write(fd=1, buffers="hello\\n\\"\\x00\\xc3\\xbf") = count=6',
  );
  assert.equal(
    traceLine('fd_read', { fd: 0, buffers: [bytes('x'.repeat(100))] }, { results: { count: 40 } }),
    `fd_read(fd=0, buffers="${'x'.repeat(32)}"... 40 bytes) = count=40`,
  );
  assert.equal(
    traceLine('path_create_directory', { fd: 3, path: 'a\nb' }, { errno: ERRNO.exist }),
    'path_create_directory(fd=3, path="a\\nb") = EEXIST',
  );
  assert.equal(traceLine('proc_exit', { status: 1 }, null), 'proc_exit(status=1) = ?');
  assert.equal(traceLine('sched_yield', {}, { results: {} }), 'sched_yield() = 0');
  assert.equal(
    traceLine(
      'poll_oneoff',
      { subscriptions: [{ type: 'fdRead', userdata: 1n, fd: 0 }], events: undefined, capacity: 1 },
      null,
    ),
    'poll_oneoff(subscriptions=[{type="fdRead", userdata=1, fd=0}], capacity=1) = ?',
  );
});

test('a line stays short and one line', () => {
  const line = traceLine('path_rename', { fd: 3, path: 'y'.repeat(4000), toFd: 3, toPath: '\r\n'.repeat(50) }, null);
  assert.ok(line.length < 600);
  assert.ok(!/[\r\n]/.test(line));
});

test('the document has every call', () => {
  const document = renderSyscalls();
  for (const name of CALL_NAMES) assert.ok(document.includes(`| \`${name}\` |`), name);
  assert.ok(document.endsWith('\n'));
  assert.equal(renderSyscalls(), document);
});
