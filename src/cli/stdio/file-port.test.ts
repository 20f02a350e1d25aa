import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ERRNO, type Errno } from '../../abi/errno.ts';
import { Whence } from '../../abi/types.ts';
import { nativeCalls } from '../../vfs/native.ts';
import type { Settled } from '../../vfs/openfile.ts';
import { filePort } from './file-port.ts';

function open(t: TestContext, content: string, flags = 'r+') {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-port-'));
  const name = path.join(directory, 'file');
  fs.writeFileSync(name, content);
  const fd = fs.openSync(name, flags);
  t.after(() => {
    fs.closeSync(fd);
    fs.rmSync(directory, { recursive: true });
  });
  const port = filePort(fd, { kind: 'file', flags: 0, readable: true, writable: true });
  const settled = <T>(ask: (done: (result: Settled<T>) => void) => void): Promise<T | Errno> =>
    new Promise((resolve) => {
      ask((result) => resolve('errno' in result ? result.errno : result.value));
    });
  return {
    fd,
    name,
    seek: (offset: bigint, whence: number) => settled<bigint>((done) => port.seek(offset, whence, done)),
    read: async (max: number) => {
      const bytes = await settled<Uint8Array>((done) => port.read(max, done));
      return typeof bytes === 'number' ? bytes : Buffer.from(bytes).toString();
    },
    write: (text: string) => settled<number>((done) => port.write(Buffer.from(text), done)),
  };
}

test('a program seeks in its standard input', async (t) => {
  const { seek, read } = open(t, '0123456789');
  assert.equal(await read(2), '01');
  assert.equal(await seek(0n, Whence.cur), 2n);
  assert.equal(await seek(3n, Whence.cur), 5n);
  assert.equal(await read(2), '56');
  assert.equal(await seek(-1n, Whence.end), 9n);
  assert.equal(await read(2), '9');
  assert.equal(await seek(-11n, Whence.end), ERRNO.inval);
  assert.equal(await seek(0n, 3), ERRNO.inval);
  assert.equal(await seek(20n, Whence.set), 20n);
  assert.equal(await read(2), '');
});

const unshared = nativeCalls() === null && 'the position is not the system’s after a seek';

test('whoever has the file next goes on where the program left it', { skip: unshared }, async (t) => {
  const { fd, name, seek, write } = open(t, '0123456789');
  assert.equal(await seek(4n, Whence.set), 4n);
  assert.equal(await write('ab'), 2);
  fs.writeSync(fd, 'next');
  assert.equal(fs.readFileSync(name, 'latin1'), '0123abnext');
});

test('in append mode the end is where writing leaves the position', { skip: unshared }, async (t) => {
  const { name, seek, write } = open(t, '0123456789', 'a+');
  assert.equal(await seek(2n, Whence.set), 2n);
  assert.equal(await write('ab'), 2);
  assert.equal(await seek(0n, Whence.cur), 12n);
  assert.equal(fs.readFileSync(name, 'latin1'), '0123456789ab');
});
