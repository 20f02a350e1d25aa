import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { DirectFile } from '../vfs/direct.ts';
import { type AllowedCalls, DescriptorTable } from './descriptors.ts';

const READ: AllowedCalls = { read: true, write: false, seek: true, tell: true };

/** A table and what its kernel's side does: send changes, and raise the version behind them. */
function setUp(t: TestContext) {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-descriptors-'));
  const { port1, port2 } = new MessageChannel();
  const opened: number[] = [];
  let version = 0;
  t.after(() => {
    port1.close();
    for (const fd of opened) closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  const file = (name: string, content: string): DirectFile => {
    writeFileSync(path.join(directory, name), content);
    const fd = openSync(path.join(directory, name), 'r');
    opened.push(fd);
    return DirectFile.create(fd, false);
  };
  const send = (fd: number, changed: DirectFile | null, may = READ): void =>
    port1.postMessage({ fd, shared: changed?.shared ?? null, may });
  const raise = (by = 1): void => {
    version = (version + by) | 0;
  };
  return { table: new DescriptorTable(port2, () => version), file, send, raise };
}

const contentOf = (file: DirectFile | undefined): string => {
  const buffer = Buffer.alloc(10);
  return buffer.toString('utf8', 0, file?.read([buffer], null) ?? 0);
};

test('a number is known from its change until it is taken back', (t) => {
  const { table, file, send, raise } = setUp(t);
  assert.equal(table.get(3), undefined);
  send(3, file('a', 'first'));
  raise();
  assert.deepEqual(table.get(3)?.may, READ);
  assert.equal(contentOf(table.get(3)?.file), 'first');
  assert.equal(table.get(4), undefined);
  send(3, null);
  raise();
  assert.equal(table.get(3), undefined);
});

test('changes take effect together and in their order, only once their number was raised', (t) => {
  const { table, file, send, raise } = setUp(t);
  const [one, other] = [file('a', 'one'), file('b', 'other')];
  send(3, one);
  send(3, other, { ...READ, seek: false });
  send(5, one);
  send(5, null);
  assert.equal(table.get(3), undefined, 'the version says that nothing has changed');
  raise(4);
  assert.equal(table.get(3)?.may.seek, false);
  assert.equal(contentOf(table.get(3)?.file), 'other');
  assert.equal(table.get(5), undefined);
});

test('both sides share the position of a file', (t) => {
  const { table, file, send, raise } = setUp(t);
  const kernels = file('a', 'abcdef');
  send(3, kernels);
  raise();
  table.get(3)?.file.read([Buffer.alloc(2)], null);
  assert.equal(kernels.tell(), 2n);
  assert.equal(contentOf(kernels), 'cdef');
  assert.equal(table.get(3)?.file.tell(), 6n);
});

test('the count of changes may come round', (t) => {
  const { table, file, send, raise } = setUp(t);
  raise(0x7fff_ffff);
  assert.equal(table.get(3), undefined);
  send(3, file('a', 'x'));
  raise();
  assert.notEqual(table.get(3), undefined);
});
