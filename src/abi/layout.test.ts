import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DIRENT, EVENT, FDSTAT, FILESTAT, IOVEC, PRESTAT, SUBSCRIPTION } from './layout.ts';
import type { Layout } from './layout.ts';
import { FileType, PreopenType } from './types.ts';
import type { Event, FdStat, FileStat, Subscription } from './types.ts';

function figures({ size, align, offsets }: Pick<Layout<never>, 'size' | 'align' | 'offsets'>): unknown {
  return [size, align, offsets];
}

/** Sizes, alignments and offsets as the witx tools print them for wasi_snapshot_preview1. */
test('the records lie as the specification says', () => {
  assert.deepEqual(figures(IOVEC), [8, 4, { pointer: 0, length: 4 }]);
  assert.deepEqual(figures(FDSTAT), [24, 8, { filetype: 0, flags: 2, rightsBase: 8, rightsInheriting: 16 }]);
  assert.deepEqual(figures(FILESTAT), [
    64,
    8,
    { dev: 0, ino: 8, filetype: 16, nlink: 24, size: 32, atim: 40, mtim: 48, ctim: 56 },
  ]);
  assert.deepEqual(figures(PRESTAT), [8, 4, { tag: 0, nameLength: 4 }]);
  assert.deepEqual(figures(DIRENT), [24, 8, { next: 0, ino: 8, nameLength: 16, filetype: 20 }]);
  assert.deepEqual(figures(EVENT), [32, 8, { userdata: 0, error: 8, type: 10, bytes: 16, flags: 24 }]);
  assert.deepEqual(figures(SUBSCRIPTION), [
    48,
    8,
    { userdata: 0, type: 8, caseStart: 16, timeout: 24, precision: 32, flags: 40 },
  ]);
});

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const filetype = fc.constantFrom(...Object.values(FileType));
const plainRecord = { noNullPrototype: true };

function roundTrips<T>(layout: Layout<T>, values: fc.Arbitrary<T>): void {
  fc.assert(
    fc.property(values, fc.integer({ min: 0, max: 9 }), (value, at) => {
      const view = new DataView(new SharedArrayBuffer(at + layout.size));
      layout.write(view, at, value);
      assert.deepEqual(layout.read(view, at), value);
    }),
  );
}

test('what is written is read, at any alignment', () => {
  roundTrips<FdStat>(FDSTAT, fc.record({ filetype, flags: u16, rightsBase: u64, rightsInheriting: u64 }, plainRecord));
  roundTrips<FileStat>(
    FILESTAT,
    fc.record({ dev: u64, ino: u64, filetype, nlink: u64, size: u64, atim: u64, mtim: u64, ctim: u64 }, plainRecord),
  );
  roundTrips<Event>(
    EVENT,
    fc.record({ userdata: u64, error: u16, type: fc.integer({ min: 0, max: 2 }), bytes: u64, flags: u16 }, plainRecord),
  );
  roundTrips<Subscription | null>(
    SUBSCRIPTION,
    fc.oneof(
      fc.record(
        { type: fc.constant('clock' as const), userdata: u64, clock: u32, timeout: u64, abstime: fc.boolean() },
        plainRecord,
      ),
      fc.record({ type: fc.constantFrom('fdRead' as const, 'fdWrite' as const), userdata: u64, fd: u32 }, plainRecord),
      fc.constant(null),
    ),
  );
});

test('a prestat is a tag and a length', () => {
  const view = new DataView(new ArrayBuffer(8));
  PRESTAT.write(view, 0, { tag: PreopenType.socket, nameLength: 5 });
  assert.deepEqual([view.getUint8(0), view.getUint32(4, true)], [1, 5]);
});
