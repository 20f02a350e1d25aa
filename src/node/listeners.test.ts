import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { ERRNO } from '../abi/errno.ts';
import { LIMITS } from '../base/limits.ts';
import type { ConnectionEnd, ListenerEnd } from '../kernel/socket.ts';
import type { Settled } from '../vfs/openfile.ts';
import { listenOn } from './listeners.ts';

/** A listener on a port that was free a moment ago, and what connects to it. */
async function setUp(
  t: TestContext,
  lingerMs?: number,
): Promise<{ listener: ListenerEnd; connect: () => Promise<net.Socket> }> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as net.AddressInfo;
  probe.close();
  await once(probe, 'close');
  const listener = await listenOn(`127.0.0.1:${port}`, lingerMs);
  const sockets: net.Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  return { listener, connect };
}

const accept = (listener: ListenerEnd): Promise<ConnectionEnd> =>
  new Promise((resolve) => {
    listener.accept((result) => {
      assert('value' in result);
      resolve(result.value);
    });
  });

/** What the client reads first: whether the other end is there. */
async function greets(connection: ConnectionEnd, client: net.Socket): Promise<string> {
  const [[data]] = await Promise.all([
    once(client, 'data') as Promise<[Buffer]>,
    new Promise((resolve) => connection.write(Buffer.from('hello'), resolve)),
  ]);
  return data.toString();
}

test('a program has as many connections as it accepts, whatever the backlog', async (t) => {
  const { listener, connect } = await setUp(t);
  const connections: ConnectionEnd[] = [];
  for (let i = 0; i <= LIMITS.listenBacklog; i++) {
    const accepted = accept(listener);
    const client = await connect();
    const connection = await accepted;
    connections.push(connection);
    if (i === LIMITS.listenBacklog) assert.equal(await greets(connection, client), 'hello');
  }
  for (const connection of connections) connection.close();
});

test('what may not wait gets the connection, bytes and end that are there, or EAGAIN', async (t) => {
  const { listener, connect } = await setUp(t);
  const look = <T>(ask: (done: (result: Settled<T>) => void) => void, hurry: () => void): Promise<Settled<T>> =>
    new Promise((resolve) => {
      ask(resolve);
      hurry();
    });
  const lookForOne = () =>
    look<ConnectionEnd>(
      (done) => listener.accept(done),
      () => listener.hurry(),
    );
  assert.deepEqual(await lookForOne(), { errno: ERRNO.again });
  const client = await connect();
  const accepted = await lookForOne();
  assert('value' in accepted);
  const connection = accepted.value;
  const read = () =>
    look<Uint8Array>(
      (done) => connection.read(9, done),
      () => connection.hurry(),
    );
  assert.deepEqual(await read(), { errno: ERRNO.again });
  await new Promise((resolve) => client.write('hello', resolve));
  const bytes = await read();
  assert.equal('value' in bytes && Buffer.from(bytes.value).toString(), 'hello');
  assert.deepEqual(await read(), { errno: ERRNO.again });
  // One that waits finds what comes after a look as before.
  const later = new Promise<Settled<Uint8Array>>((resolve) => connection.read(9, resolve));
  client.end('bye');
  const last = await later;
  assert.equal('value' in last && Buffer.from(last.value).toString(), 'bye');
  connection.close();
});

test('connections wait for the program up to the backlog, those beyond are reset', async (t) => {
  const { listener, connect } = await setUp(t);
  const waiting: net.Socket[] = [];
  for (let i = 0; i < LIMITS.listenBacklog; i++) waiting.push(await connect());
  // It may hear of it while it connects or afterwards.
  const excess = connect().then((socket) => once(socket, 'close'));
  await assert.rejects(excess, { code: 'ECONNRESET' });
  // The first one is still there, and its place is free again for the next.
  const connection = await accept(listener);
  assert.equal(await greets(connection, waiting[0]!), 'hello');
  connection.close();
  const next = await connect();
  for (let i = 1; i < LIMITS.listenBacklog; i++) (await accept(listener)).close();
  const last = await accept(listener);
  assert.equal(await greets(last, next), 'hello');
  last.close();
});

test(
  'a peer that takes nothing does not keep a connection that its program has closed',
  { timeout: 60_000 },
  async (t) => {
    const { listener, connect } = await setUp(t, 1);
    const accepted = accept(listener);
    const client = await connect();
    client.pause();
    const connection = await accepted;
    /** Until the system has room for no more. */
    const write = (): Promise<Settled<number>> =>
      new Promise((resolve) => connection.write(new Uint8Array(LIMITS.pipeBytes), resolve));
    let written = write();
    connection.leave();
    for (;;) {
      const result = await written;
      if ('errno' in result) break;
      written = write();
    }
    connection.close();
  },
);
