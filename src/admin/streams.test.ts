/** The standard streams of a program, which stay with the client and are asked for piece by piece. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO } from '../abi/errno.ts';
import type { StdioPort } from '../node/daemon.ts';
import { nullPort } from '../node/null-stdio.ts';
import type { Settled } from '../vfs/openfile.ts';
import { FAKE_STATS, exited, readOnce, signalled, writeAll } from './testing/fake-daemon.ts';
import { input, io, output, spec } from './testing/run-io.ts';
import { serveFake } from './testing/served.ts';

test('input is pulled only as wanted, up to its end', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const got: string[] = [];
  daemon.programs.set('head', async ({ io: { stdin } }) => {
    for (const max of [3, 10, 100, 5]) got.push(Buffer.from(await readOnce(stdin, max)).toString());
    return exited(0);
  });
  const pulls: number[] = [];
  const client = await connect();
  const handle = await client.run(spec('head'), io({ stdin: input(['hello world', 'x'], pulls) }));
  assert.deepEqual(await handle.ended, { end: exited(0), stats: FAKE_STATS });
  assert.deepEqual(got, ['hel', 'lo world', 'x', '']);
  assert.deepEqual(pulls, [3, 10, 100, 5]);
});

test('a slow reader slows the program down', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const chunk = new Uint8Array(65_536).fill(120);
  let written = 0;
  daemon.programs.set('yes', async ({ io: { stdout } }) => {
    for (; written < 64; written++) await writeAll(stdout, chunk);
    return exited(0);
  });
  let inFlight = 0;
  let most = 0;
  let taken = 0;
  const stdout: StdioPort = {
    ...nullPort('null'),
    kind: 'pipe',
    write(bytes, done) {
      most = Math.max(most, ++inFlight);
      // The program is never ahead by more than the one write that this reader holds.
      assert.ok(written <= taken);
      setImmediate(() => {
        inFlight--;
        taken++;
        done({ value: bytes.length });
      });
    },
  };
  const handle = await (await connect()).run(spec('yes'), io({ stdout }));
  await handle.ended;
  assert.equal(taken, 64);
  assert.equal(most, 1);
});

test('a broken pipe reaches the program as SIGPIPE', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.programs.set('yes', async ({ io: { stdout }, signal }) => {
    await assert.rejects(writeAll(stdout, Buffer.from('y\n')));
    return signalled(await signal());
  });
  const stdout: StdioPort = {
    ...nullPort('null'),
    kind: 'pipe',
    write: (_bytes, done) => setImmediate(() => done({ errno: ERRNO.pipe })),
  };
  const handle = await (await connect()).run(spec('yes'), io({ stdout }));
  assert.deepEqual((await handle.ended).end, signalled(13));
});

test('regular files are asked for position and size', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const seen: unknown[] = [];
  daemon.programs.set('seek', async ({ io: { stdin } }) => {
    seen.push(stdin.kind, stdin.flags, stdin.readable);
    await new Promise<void>((resolve) => stdin.seek(-4n, 2, (result) => resolve(void seen.push(result))));
    await new Promise<void>((resolve) => stdin.stat((result) => resolve(void seen.push(result))));
    return exited(0);
  });
  const stdin: StdioPort = {
    ...nullPort('null'),
    kind: 'file',
    flags: 1,
    seek: (offset, whence, done) => setImmediate(() => done({ value: 10n + offset + BigInt(whence) })),
  };
  const handle = await (await connect()).run(spec('seek'), io({ stdin }));
  await handle.ended;
  assert.deepEqual(seen.slice(0, 4), ['file', 1, true, { value: 8n }]);
  assert.equal(typeof (seen[4] as { value: { size: bigint } }).value.size, 'bigint');
});

test('a regular file does all that files do, anything else refuses', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const results: unknown[] = [];
  daemon.programs.set('file', async ({ io: { stdin, stdout } }) => {
    assert.equal(stdout.file, undefined);
    const { file } = stdin;
    assert.ok(file);
    const settled = <T>(ask: (done: (result: Settled<T>) => void) => void) =>
      new Promise<void>((resolve) => ask((result) => resolve(void results.push(result))));
    await settled<Uint8Array>((done) => file.readAt(7n, 3, done));
    await settled<number>((done) => file.writeAt(8n, Buffer.from('xyz'), done));
    await settled<void>((done) => file.sync(true, done));
    await settled<void>((done) => file.setSize(9n, done));
    await settled<void>((done) => file.setTimes(null, 4n, done));
    await settled<void>((done) => file.allocate(5n, 6n, done));
    return exited(0);
  });
  const asked: unknown[][] = [];
  const stdin: StdioPort = {
    ...nullPort('null'),
    kind: 'file',
    file: {
      readAt: (offset, max, done) => answer({ value: Buffer.from('abc') }, done, 'readAt', offset, max),
      writeAt: (offset, bytes, done) => answer({ value: 2 }, done, 'writeAt', offset, Buffer.from(bytes).toString()),
      sync: (dataOnly, done) => answer({ value: undefined }, done, 'sync', dataOnly),
      setSize: (size, done) => answer({ errno: ERRNO.fbig }, done, 'setSize', size),
      setTimes: (atim, mtim, done) => answer({ value: undefined }, done, 'setTimes', atim, mtim),
      allocate: (offset, length, done) => answer({ value: undefined }, done, 'allocate', offset, length),
    },
  };
  function answer<T>(result: Settled<T>, done: (result: Settled<T>) => void, ...words: unknown[]): void {
    asked.push(words);
    setImmediate(() => done(result));
  }
  await (
    await (await connect()).run(spec('file'), io({ stdin }))
  ).ended;
  assert.deepEqual(asked, [
    ['readAt', 7n, 3],
    ['writeAt', 8n, 'xyz'],
    ['sync', true],
    ['setSize', 9n],
    ['setTimes', null, 4n],
    ['allocate', 5n, 6n],
  ]);
  const ok = { value: undefined };
  assert.deepEqual(results.slice(1), [{ value: 2 }, ok, { errno: ERRNO.fbig }, ok, ok]);
  // A client that has no such file after all.
  const { file: _none, ...without } = stdin;
  results.length = 0;
  await (
    await (await connect()).run(spec('file'), io({ stdin: without }))
  ).ended;
  assert.deepEqual(
    results,
    Array.from({ length: 6 }, () => ({ errno: ERRNO.notsup })),
  );
});

test('two clients at once keep to themselves', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.programs.set('cat', async ({ io: { stdin, stdout } }) => {
    for (;;) {
      const bytes = await readOnce(stdin, 7);
      if (bytes.length === 0) return exited(0);
      await writeAll(stdout, bytes);
    }
  });
  const texts = ['a'.repeat(1000), 'b'.repeat(1000)];
  const results = await Promise.all(
    texts.map(async (text) => {
      const { port, text: written } = output();
      const client = await connect();
      const handle = await client.run(spec('cat'), io({ stdin: input([text]), stdout: port }));
      await handle.ended;
      return written();
    }),
  );
  assert.deepEqual(results, texts);
});
