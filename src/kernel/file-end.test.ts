/** A standard stream that is a regular file: what it does beyond reading, writing and seeking. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FstFlags } from '../abi/types.ts';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Settled } from '../vfs/openfile.ts';
import type { FileEnd } from './file-end.ts';
import { StreamFile } from './stream.ts';
import { TestEnd } from './testing/ends.ts';
import { Harness, soFar } from './testing/harness.ts';

/** A file at the user's, whose other operations are noted and wait for `answer`. */
function withFile() {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const note =
    <T>(value: T, done: (result: Settled<T>) => void) =>
    (words: string): void => {
      asked.push(words);
      answers.push(() => done({ value }));
    };
  const end = Object.assign(new TestEnd('file'), {
    file: {
      readAt: (offset, max, done) => note(encodeUtf8('abc'), done)(`readAt ${offset} ${max}`),
      writeAt: (offset, bytes, done) => note(Math.min(2, bytes.length), done)(`writeAt ${offset} ${decodeUtf8(bytes)}`),
      sync: (dataOnly, done) => note(undefined, done)(`sync ${dataOnly}`),
      setSize: (size, done) => note(undefined, done)(`setSize ${size}`),
      setTimes: (atim, mtim, done) => note(undefined, done)(`setTimes ${atim} ${mtim}`),
      allocate: (offset, length, done) => note(undefined, done)(`allocate ${offset} ${length}`),
    } satisfies FileEnd,
  });
  const file = new StreamFile(end);
  const harness = new Harness({ stdio: [{ file, rights: file.rights }, null, null] });
  const answer = (): void => (answers.shift() ?? assert.fail('nothing is asked for'))();
  return { end, harness, asked, answer };
}

test('a regular file at the user’s does what other files do, in the order of the writes', () => {
  const { end, harness, asked, answer } = withFile();
  // Counts as done, since the bytes cannot be taken back.
  assert.ok(!harness.block('fd_write', { fd: 0, buffers: [encodeUtf8('first')] }).withdraw());
  const buffers = [new Uint8Array(1), new Uint8Array(9)];
  const read = harness.block('fd_pread', { fd: 0, buffers, offset: 7n });
  assert.deepEqual(asked, []);
  end.take();
  assert.deepEqual(asked.splice(0), ['readAt 7 10']);
  answer();
  assert.deepEqual(soFar(read), { count: 3 });
  assert.equal(decodeUtf8(Buffer.concat(buffers).subarray(0, 3)), 'abc');

  const times = { fd: 0, atim: 5n, mtim: 6n, flags: FstFlags.atim | FstFlags.mtimNow };
  for (const [make, words] of [
    [() => harness.block('fd_sync', { fd: 0 }), 'sync false'],
    [() => harness.block('fd_datasync', { fd: 0 }), 'sync true'],
    [() => harness.block('fd_filestat_set_size', { fd: 0, size: 4n }), 'setSize 4'],
    [() => harness.block('fd_filestat_set_times', times), 'setTimes 5 now'],
    [() => harness.block('fd_allocate', { fd: 0, offset: 1n, length: 2n }), 'allocate 1 2'],
  ] as const) {
    const ask = make();
    assert.deepEqual(asked.splice(0), [words]);
    assert.ok(ask.pending);
    answer();
    assert.deepEqual(soFar(ask), {});
  }
  harness.ok('fd_advise', { fd: 0, offset: 0n, length: 0n, advice: 0 });
  assert.equal(harness.call('fd_allocate', { fd: 0, offset: 0n, length: 0n }), 'inval');
  assert.equal(harness.ok('fd_pread', { fd: 0, buffers: [], offset: 0n }).count, 0);
});

test('a write at a position is made once, also if it is withdrawn', () => {
  const { harness, asked, answer } = withFile();
  const first = harness.block('fd_pwrite', { fd: 0, buffers: [encodeUtf8('hello')], offset: 10n });
  // It counts as done.
  assert.ok(!first.withdraw());
  const next = harness.block('fd_pwrite', { fd: 0, buffers: [encodeUtf8('next')], offset: 0n });
  for (let i = 0; i < 4; i++) answer();
  assert.deepEqual(asked, ['writeAt 10 hello', 'writeAt 12 llo', 'writeAt 14 o', 'writeAt 0 next']);
  assert.deepEqual(soFar(next), { count: 2 });
});
