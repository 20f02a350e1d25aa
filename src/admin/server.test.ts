import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { Daemon, StdioPort } from '../node/daemon.ts';
import { nullPort } from '../node/null-stdio.ts';
import { connectAdmin } from './client.ts';
import { serveAdmin } from './server.ts';
import { FakeDaemon, exited, readOnce } from './testing/fake-daemon.ts';
import { io, spec } from './testing/run-io.ts';
import { serveFake, temporaryDirectory } from './testing/served.ts';

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
  assert.deepEqual(await client.logs({ pid: null, after: 0, wait: false }), {
    missing: 0,
    lines: [],
    next: 0,
    last: 0,
    complete: true,
  });
  await client.ping();
});

test('who waits for a client that is gone hears of that', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const asked: AbortSignal[] = [];
  const both = Promise.withResolvers<void>();
  const never = (gone?: AbortSignal) => {
    if (asked.push(gone ?? assert.fail('no signal')) === 2) both.resolve();
    return new Promise<never>(() => {});
  };
  const waits: Pick<Daemon, 'wait' | 'logs'> = {
    wait: (_pid, gone) => never(gone),
    logs: (_query, gone) => never(gone),
  };
  Object.assign(daemon, waits);
  const client = await connect();
  const answers = [client.wait(65_537), client.logs({ pid: 65_537, after: 0, wait: true })];
  await both.promise;
  const heard = asked.map((gone) => once(gone, 'abort'));
  client.close();
  await Promise.all(heard);
  for (const answer of answers) await assert.rejects(answer, { code: 'node_down' });
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

test('so is its death while the process is being made ready', async (t) => {
  const { daemon, connect } = await serveFake(t);
  const run = daemon.run.bind(daemon);
  const asked = Promise.withResolvers<void>();
  daemon.run = async (spec, io) => {
    asked.resolve();
    // Answered only by the hangup.
    await new Promise<void>((resolve) => io.stdin.read(1, () => resolve()));
    return run(spec, io);
  };
  const hungUp = Promise.withResolvers<number>();
  daemon.programs.set('late', async ({ signal }) => {
    hungUp.resolve(await signal());
    return exited(0);
  });
  const client = await connect();
  const stdin: StdioPort = { ...nullPort('null'), kind: 'terminal', read() {} };
  const running = client.run(spec('late'), io({ stdin }));
  await asked.promise;
  client.close();
  await assert.rejects(running, { code: 'node_down' });
  assert.equal(await hungUp.promise, 1);
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
