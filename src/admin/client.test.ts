/** The command's end, against a node that says what the test wants. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { connectAdmin } from './client.ts';
import { CONTROL_VERSION, encodeToClient, type ToClient } from './protocol.ts';
import { exited, FAKE_STATS } from './testing/fake-daemon.ts';
import { io, spec } from './testing/run-io.ts';
import { temporaryDirectory } from './testing/served.ts';
import { nullPort } from '../node/null-stdio.ts';

test('only the read that is under way is hurried', async (t) => {
  const pull = (id: number): ToClient => ({ kind: 'pull', id, fd: 'stdin', max: 9 });
  const hurry = (id: number): ToClient => ({ kind: 'hurry', id, fd: 'stdin' });
  /** What the node says to each thing that it is told. */
  const says: readonly ToClient[][] = [
    [{ kind: 'welcome', version: CONTROL_VERSION, self: { id: 1, name: 'node1', address: '' } }],
    [{ kind: 'started', pid: 65_537 }, pull(1)],
    // The answer to the first read and the word that it may wait no longer pass each other.
    [hurry(1), pull(2), hurry(1), hurry(2)],
    [{ kind: 'ended', end: exited(0), stats: FAKE_STATS }],
  ];
  const server = net.createServer((socket) => {
    const left = [...says];
    socket.on('data', () => socket.write(Buffer.concat((left.shift() ?? []).map(encodeToClient))));
    t.after(() => socket.destroy());
  });
  const socketPath = path.join(temporaryDirectory(t), 'control.sock');
  server.listen(socketPath);
  t.after(() => server.close());
  await once(server, 'listening');
  const client = await connectAdmin(socketPath);
  t.after(() => client.close());

  const asked: string[] = [];
  let hurried = (): void => {};
  const handle = await client.run(
    spec('reader'),
    io({
      stdin: {
        ...nullPort('null'),
        kind: 'pipe',
        read(_max, done) {
          asked.push('read');
          const answer = (): void => done({ value: new Uint8Array(1) });
          if (asked.length === 1) setImmediate(answer);
          else hurried = answer;
        },
        hurry() {
          asked.push('hurry');
          setImmediate(hurried);
        },
      },
    }),
  );
  await handle.ended;
  assert.deepEqual(asked, ['read', 'read', 'hurry']);
});
