/** Here and not in link/, because the certificates come from the cluster authority. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { nodeId } from '../base/ids.ts';
import { SeededRandom } from '../base/virtual.ts';
import { receive } from '../link/receive-buffer.ts';
import { Authority, createNodeKey } from './authority.ts';

interface Heard {
  readonly inOneBuffer: boolean;
  /** All that has come, so far. */
  bytes(): Buffer;
  /** In how many different buffers. */
  buffers(): number;
  until(length: number): Promise<void>;
}

function listen(socket: Duplex): Heard {
  const pieces: Buffer[] = [];
  const buffers = new Set<ArrayBufferLike>();
  let enough = (): void => {};
  const bytes = (): Buffer => Buffer.concat(pieces);
  const inOneBuffer = receive(socket, (piece) => {
    pieces.push(Buffer.from(piece));
    buffers.add(piece.buffer);
    // Whoever keeps what it was given would see this.
    piece.fill(0);
    enough();
  });
  assert.equal(pieces.length, 0, 'nothing comes from inside the call');
  return {
    inOneBuffer,
    bytes,
    buffers: () => buffers.size,
    until: (length) =>
      new Promise((resolve) => {
        enough = () => bytes().length >= length && resolve();
        enough();
      }),
  };
}

const random = new SeededRandom(7);
const content = Buffer.alloc(1_000_000);
random.fill(content);

test('both sides of a TLS connection receive into one buffer, behind what came before they were asked to', async (t) => {
  const authority = Authority.create('c0ffee');
  const { key, publicKey } = createNodeKey();
  const options = { key, cert: authority.certify(nodeId(1), publicKey), ca: authority.record.certificate };
  const server = createServer(options);
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const near = connect({ host: '127.0.0.1', port, ...options, checkServerIdentity: () => undefined });
  t.after(() => near.destroy());
  const [far] = await accepted;
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.write('early');
    if (to.readableLength === 0) await once(to, 'readable');
    const heard = listen(to);
    assert.ok(heard.inOneBuffer, 'this version of Node can');
    from.write(content);
    await heard.until(5 + content.length);
    assert.ok(heard.bytes().equals(Buffer.concat([Buffer.from('early'), content])));
    assert.ok(heard.buffers() <= 2, 'one, and that of the first bytes');
  }
  // Its end is heard as ever.
  near.end();
  await once(far, 'close');
});

test('of another stream bytes come as it has them', async () => {
  const stream = new PassThrough();
  stream.write('first ');
  const heard = listen(stream);
  assert.ok(!heard.inOneBuffer);
  stream.write('second');
  await heard.until(12);
  assert.equal(heard.bytes().toString(), 'first second');
});
