/** Clients that say anything else than they should. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONTROL_MAGIC, CONTROL_VERSION, encodeToDaemon } from './protocol.ts';
import { exited, readOnce } from './testing/fake-daemon.ts';
import { spec } from './testing/run-io.ts';
import { serveFake } from './testing/served.ts';

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
