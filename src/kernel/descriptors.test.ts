import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrnoError } from '../abi/errno.ts';
import { DirectFile } from '../vfs/direct.ts';
import { Rights } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { type Descriptor, DescriptorTable } from './descriptors.ts';
import { MemoryFile } from './testing/files.ts';

const ALL = { base: Rights.fd_read | Rights.fd_seek, inheriting: Rights.fd_write };

function failure(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    assert.ok(error instanceof ErrnoError);
    return error.message;
  }
}

test('a table behaves like a map of numbers, always gives the lowest free one and closes each file once', () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant('open' as const), a: fc.nat(12), b: fc.nat(12) }),
    fc.record({ do: fc.constantFrom('close' as const, 'renumber' as const), a: fc.nat(12), b: fc.nat(12) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const mirror = new Map<number, Descriptor>();
      const table = new DescriptorTable((fd, descriptor) => {
        if (descriptor === null) mirror.delete(fd);
        else mirror.set(fd, descriptor);
      });
      const model = new Map<number, MemoryFile>();
      const files: MemoryFile[] = [];
      for (const { do: action, a, b } of commands) {
        if (action === 'open') {
          const file = new MemoryFile();
          files.push(file);
          let lowest = 0;
          while (model.has(lowest)) lowest++;
          assert.equal(table.open(file, ALL), lowest);
          model.set(lowest, file);
        } else if (action === 'close') {
          assert.equal(
            failure(() => table.close(a)),
            model.has(a) ? null : 'badf',
          );
          model.delete(a);
        } else {
          const moved = model.get(a);
          const possible = moved !== undefined && model.has(b);
          assert.equal(
            failure(() => table.renumber(a, b)),
            possible ? null : 'badf',
          );
          if (possible && a !== b) {
            model.delete(a);
            model.set(b, moved);
          }
        }
        assert.equal(table.size, model.size);
        assert.deepEqual(
          [...table.entries()].map(([fd, { file }]) => [fd, file]),
          [...model].sort(([x], [y]) => x - y),
        );
        assert.deepEqual(
          [...mirror.keys()].sort((x, y) => x - y),
          [...model.keys()].sort((x, y) => x - y),
        );
      }
      const open = new Set(model.values());
      for (const file of files) assert.equal(file.closed, open.has(file) ? 0 : 1);
      table.closeAll(null);
      for (const file of files) assert.equal(file.closed, 1);
    }),
  );
});

test('a file that a thread may be using itself stays open until the threads are gone', async () => {
  const table = new DescriptorTable(() => {});
  const files = { plain: new MemoryFile(), direct: new MemoryFile() };
  Object.assign(files.direct, { direct: DirectFile.create(-1, false) });
  for (const file of Object.values(files)) table.open(file, ALL);
  const gone = Promise.withResolvers<void>();
  table.closeAll(gone.promise);
  assert.equal(table.size, 0);
  assert.deepEqual([files.plain.closed, files.direct.closed], [1, 0]);
  gone.resolve();
  await gone.promise;
  assert.deepEqual([files.plain.closed, files.direct.closed], [1, 1]);
});

test('rights are only taken away, and a missing one has the errno of its kind of file', () => {
  const table = new DescriptorTable(() => {});
  const fd = table.open(new MemoryFile(), ALL);
  assert.equal(
    failure(() => table.reduceRights(fd, { base: ALL.base | Rights.fd_write, inheriting: 0n })),
    'notcapable',
  );
  assert.equal(
    failure(() => table.reduceRights(fd, { base: 0n, inheriting: ALL.inheriting | Rights.fd_read })),
    'notcapable',
  );
  table.require(fd, Rights.fd_tell);
  table.reduceRights(fd, { base: 0n, inheriting: 0n });
  assert.equal(
    failure(() => table.require(fd, Rights.fd_read)),
    'badf',
  );
  assert.equal(
    failure(() => table.require(fd, Rights.fd_seek)),
    'notcapable',
  );
  assert.equal(
    failure(() => table.require(fd, Rights.path_open)),
    'notdir',
  );
  assert.equal(
    failure(() => table.require(fd, Rights.sock_accept)),
    'notsock',
  );
});

test('a full table is EMFILE and keeps no file', () => {
  const table = new DescriptorTable(() => {});
  for (let i = 0; i < LIMITS.descriptorsPerProcess; i++) table.open(new MemoryFile(), ALL);
  const file = new MemoryFile();
  assert.equal(
    failure(() => table.open(file, ALL)),
    'mfile',
  );
  assert.equal(file.closed, 1);
  assert.equal(
    failure(() => table.checkRoom()),
    'mfile',
  );
});
