import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { silentLog } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { RunIo, RunSpec, StdioKind, StdioPort } from '../node/daemon.ts';
import { connectAdmin } from './client.ts';
import { nullPort } from '../node/null-stdio.ts';
import { CONTROL_MAGIC, CONTROL_VERSION, encodeToDaemon } from './protocol.ts';
import { serveAdmin } from './server.ts';
import { FAKE_STATS, FakeDaemon, exited, readOnce, signalled, writeAll } from './testing/fake-daemon.ts';
import { serveFake, temporaryDirectory } from './testing/served.ts';

const spec = (program: string, more: Partial<RunSpec> = {}): RunSpec => ({
  program: `/${program}`,
  args: [program],
  env: [],
  cwd: '/',
  dirs: [],
  listen: [],
  pin: false,
  detach: false,
  hopMicros: null,
  node: null,
  ...more,
});

/** A stream of the client's side that gives `chunks`, one a pull and never more than asked, then ends. */
function input(chunks: readonly string[], pulls: number[] = [], kind: StdioKind = 'pipe'): StdioPort {
  let left = chunks.map((chunk) => Buffer.from(chunk));
  return {
    ...nullPort('null'),
    kind,
    read(max, done) {
      pulls.push(max);
      const [first, ...rest] = left;
      const given = first?.subarray(0, max) ?? Buffer.alloc(0);
      left = first && first.length > max ? [first.subarray(max), ...rest] : rest;
      setImmediate(() => done({ value: given }));
    },
  };
}

function output(): { readonly port: StdioPort; readonly text: () => string } {
  const parts: Buffer[] = [];
  const write: StdioPort['write'] = (bytes, done) => {
    parts.push(Buffer.from(bytes));
    setImmediate(() => done({ value: bytes.length }));
  };
  return { port: { ...nullPort('null'), kind: 'pipe', write }, text: () => Buffer.concat(parts).toString() };
}

const io = (parts: Partial<RunIo> = {}): RunIo => ({
  stdin: nullPort('null'),
  stdout: nullPort('null'),
  stderr: nullPort('null'),
  terminal: null,
  ...parts,
});

test('a request that fails because of a bug is told so, and the node stays', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.ps = () => Promise.reject(new TypeError('x is not a function'));
  const client = await connect();
  await assert.rejects(client.ps(), { code: 'internal', message: /x is not a function/ });
  assert.deepEqual(await client.nodes(), await daemon.nodes());
});

test('only the owner can open the socket, and it goes away', async (t) => {
  const directory = path.join(temporaryDirectory(t), 'new');
  const socketPath = path.join(directory, 'control.sock');
  const server = await serveAdmin(new FakeDaemon(), socketPath, silentLog);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  await server.close();
  assert.equal(existsSync(socketPath), false);
});

test('a socket in use is refused, one left behind is replaced, a file is left alone', async (t) => {
  const { socketPath, directory } = await serveFake(t);
  await assert.rejects(serveAdmin(new FakeDaemon(), socketPath, silentLog), { code: 'state_in_use' });
  const file = path.join(directory, 'file');
  writeFileSync(file, 'mine');
  await assert.rejects(serveAdmin(new FakeDaemon(), file, silentLog), { code: 'io' });
  assert.ok(existsSync(file));
  // What a killed node leaves: a socket that nobody listens on. A hard link keeps one after its owner removed it.
  const left = path.join(directory, 'left.sock');
  const dead = net.createServer();
  const original = path.join(directory, 'dead.sock');
  await new Promise<void>((resolve) => dead.listen(original, resolve));
  linkSync(original, left);
  await new Promise((resolve) => dead.close(resolve));
  const server = await serveAdmin(new FakeDaemon(), left, silentLog);
  const client = await connectAdmin(left);
  assert.deepEqual(client.self, { id: 1, name: 'node1', address: '127.0.0.1:7370' });
  client.close();
  await server.close();
});

test('without a node the way out is named', async (t) => {
  const directory = temporaryDirectory(t);
  await assert.rejects(connectAdmin(path.join(directory, 'none.sock')), { code: 'no_daemon', message: /godwit up/ });
  mkdirSync(path.join(directory, 'is-a-directory'));
  await assert.rejects(connectAdmin(path.join(directory, 'is-a-directory')), GodwitError);
});

test('calls and their failures', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.processes = [
    {
      pid: 65_537,
      ppid: 0,
      home: 1,
      node: 2,
      state: 'running',
      threads: 1,
      memory: 5e9,
      cpu_ms: 1.5,
      moves: 3,
      stay: ['user_lock'],
      command: ['a', 'b c'],
    },
  ];
  const client = await connect();
  assert.deepEqual(await client.ps(), daemon.processes);
  assert.deepEqual(await client.nodes(), []);
  assert.equal((await client.migrate(65_537, 'node2')).name, 'node2');
  await client.kill(65_537, 15);
  assert.deepEqual(daemon.done, ['migrate 65537 node2', 'kill 65537 15']);
  await assert.rejects(client.kill(5, 15), { code: 'unknown_process', message: 'no process 5' });
  await assert.rejects(client.migrate(65_537, 'pinned'), { code: 'cannot_move' });
  assert.equal((await client.token()).token, 'secret');
  assert.deepEqual(await client.logs({ pid: null, after: 0, wait: false }), { lines: [], next: 0, complete: true });
  await client.ping();
});

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

test('signals and sizes arrive in order, also before the start is known', async (t) => {
  const { daemon, connect } = await serveFake(t);
  daemon.programs.set('wait', async ({ signal, size, io: { terminal } }) => {
    assert.deepEqual(terminal, { columns: 80, rows: 25 });
    const first = await signal();
    const { columns } = await size();
    return exited(first + (await signal()) + columns);
  });
  const client = await connect();
  const running = client.run(spec('wait'), io({ terminal: { columns: 80, rows: 25 } }));
  client.signal(2);
  const handle = await running;
  handle.resize({ columns: 100, rows: 50 });
  handle.signal(15);
  assert.deepEqual((await handle.ended).end, exited(117));
  assert.deepEqual(await client.wait(handle.pid), exited(117));
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

async function clientDies(t: TestContext, detach: boolean): Promise<{ signals: number[]; read: number }> {
  const { daemon, connect } = await serveFake(t);
  const blocked = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const signals: number[] = [];
  let read = -1;
  daemon.programs.set('read', async ({ io: { stdin }, signal }) => {
    void signal().then((number) => signals.push(number));
    const reading = readOnce(stdin, 10);
    blocked.resolve();
    read = (await reading).length;
    await new Promise(setImmediate);
    over.resolve();
    return exited(0);
  });
  const client = await connect();
  const never: StdioPort = { ...nullPort('null'), kind: 'terminal', read() {} };
  const running = client.run(spec('read', { detach }), io(detach ? {} : { stdin: never }));
  await blocked.promise;
  const handle = await running;
  client.close();
  await over.promise;
  if (!detach)
    await assert.rejects(handle.ended, { code: 'node_down', message: /; the end of node\.log .* says more$/ });
  return { signals, read };
}

test("a client's death is its process's hangup", async (t) => {
  assert.deepEqual(await clientDies(t, false), { signals: [1], read: 0 });
});

test('a detached process does not notice', async (t) => {
  assert.deepEqual(await clientDies(t, true), { signals: [], read: 0 });
});

test('a program that cannot start is a failure of the run', async (t) => {
  const { connect } = await serveFake(t);
  const client = await connect();
  await assert.rejects(client.run(spec('none'), io()), { code: 'not_a_module' });
});

test('closing the server lets answers go out', async (t) => {
  const { daemon, socketPath } = await serveFake(t);
  const client = await connectAdmin(socketPath);
  await client.shutdown();
  await daemon.ended;
  client.close();
  await client.ended;
});

/** Sends bytes and waits for the connection's end. @returns what came back */
async function rawExchange(socketPath: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = net.connect(socketPath);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  // A reset is as good an end as any.
  socket.on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close');
  return Buffer.concat(parts);
}

test('rubbish costs the connection, never the node', async (t) => {
  const { socketPath, connect, daemon } = await serveFake(t);
  daemon.programs.set('read', async ({ io: { stdin } }) => exited((await readOnce(stdin, 4)).length));
  const hello = encodeToDaemon({ kind: 'hello', magic: CONTROL_MAGIC, version: CONTROL_VERSION });
  const stdio = { kind: 'pipe', flags: 0, readable: true, writable: true } as const;
  const stdios = { stdin: stdio, stdout: stdio, stderr: stdio };
  const run = encodeToDaemon({ kind: 'run', spec: spec('read'), stdio: stdios, terminal: null });
  const answer = encodeToDaemon({ kind: 'data', id: 1, bytes: new Uint8Array(100) });
  const wrongKind = encodeToDaemon({ kind: 'count', id: 1, count: 1 });
  const call = encodeToDaemon({ kind: 'call', id: 0, method: 'ps', body: new Uint8Array() });
  const badBody = encodeToDaemon({ kind: 'call', id: 1, method: 'kill', body: Uint8Array.of(1) });
  const cases = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    call,
    Buffer.concat([hello, hello]),
    Buffer.concat([hello, answer]),
    Buffer.concat([hello, run, run]),
    Buffer.concat([hello, run, answer]),
    Buffer.concat([hello, run, wrongKind]),
    Buffer.concat([hello, call]),
    Buffer.concat([hello, badBody]),
    Buffer.alloc(1000, 255),
  ];
  for (const bytes of cases) await rawExchange(socketPath, bytes);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
      await rawExchange(socketPath, Buffer.concat([hello, bytes]));
    }),
    { numRuns: 50 },
  );
  const client = await connect();
  await client.ping();
});

test(
  'a directory that others may write to is no place for a socket',
  { skip: process.platform === 'win32' },
  async (t) => {
    const directory = path.join(temporaryDirectory(t), 'ours');
    mkdirSync(directory);
    const socketPath = path.join(directory, 'control.sock');
    const words = { code: 'io', message: /ours can be written by others; "chmod go-w .*ours" ends that/ };
    for (const mode of [0o777, 0o770, 0o702]) {
      chmodSync(directory, mode);
      await assert.rejects(connectAdmin(socketPath), words);
      await assert.rejects(serveAdmin(new FakeDaemon(), socketPath, silentLog), words);
      assert.deepEqual(readdirSync(directory), []);
    }
    // As /tmp is, and as others can see but not change it.
    for (const mode of [0o1777, 0o755]) {
      chmodSync(directory, mode);
      await assert.rejects(connectAdmin(socketPath), { code: 'no_daemon' });
    }
  },
);

test('another version is refused politely', async (t) => {
  const { socketPath } = await serveFake(t);
  const hello = encodeToDaemon({ kind: 'hello', magic: CONTROL_MAGIC, version: CONTROL_VERSION + 1 });
  const reply = await rawExchange(socketPath, hello);
  assert.match(reply.toString('latin1'), /speaks version/);
});

test('more calls than may wait are refused, not kept', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const end = Promise.withResolvers<ReturnType<typeof exited>>();
  daemon.ends.set(1, end.promise);
  const client = await connect();
  const waits = Array.from({ length: 70 }, () => client.wait(1));
  const refused = waits.slice(64).map((wait) => assert.rejects(wait, { code: 'limit' }));
  await Promise.all(refused);
  end.resolve(exited(3));
  assert.deepEqual(
    await Promise.all(waits.slice(0, 64)),
    Array.from({ length: 64 }, () => exited(3)),
  );
});
