/** Links over real TLS on loopback. Here and not in link/, because the certificates come from the cluster authority. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTcp, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { assertSame } from '../base/testing/same.ts';
import { silentLog } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import { nodeId } from '../base/ids.ts';
import { SeededRandom } from '../base/virtual.ts';
import { formatAddress } from '../link/address.ts';
import type { PeerFrame } from '../link/frames.ts';
import type { PeerEvent } from '../link/links.ts';
import { Links } from '../link/links.ts';
import { realClock } from '../link/testing/real.ts';
import type { Credentials, TlsListener } from '../link/tls.ts';
import { listenTls, TlsDialer } from '../link/tls.ts';
import { Authority, createNodeKey } from './authority.ts';

const A = nodeId(1);
const B = nodeId(2);

function credentials(authority: Authority, node: NodeId, claimed = node): Credentials {
  const { key, publicKey } = createNodeKey();
  const { cluster, certificate } = authority.record;
  return { cluster, node: claimed, key, certificate: authority.certify(node, publicKey), authority: certificate };
}

interface RealNode {
  readonly links: Links;
  readonly dialer: TlsDialer;
  readonly listener: TlsListener;
  readonly address: string;
  readonly frames: PeerFrame[];
  readonly events: PeerEvent['event'][];
  readonly warnings: string[];
  /** Resolves when the condition holds; looked at after everything that happens. */
  until(holds: () => boolean): Promise<void>;
}

async function startNode(t: TestContext, own: Credentials, host = '127.0.0.1'): Promise<RealNode> {
  const frames: PeerFrame[] = [];
  const events: PeerEvent['event'][] = [];
  const warnings: string[] = [];
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const look of waiting) look();
  };
  const log = {
    ...silentLog,
    warn(message: string, fields?: Readonly<Record<string, unknown>>) {
      warnings.push(`${message}: ${String(fields?.['reason'])}`);
      changed();
    },
  };
  const random = new SeededRandom(own.node);
  const self = {
    cluster: own.cluster,
    node: own.node,
    boot: BigInt(own.node),
    build: 'test',
    capabilities: [],
    required: [],
  };
  const dialer = new TlsDialer(own);
  const links = new Links(
    { self, clock: realClock, random, log, dialer, admit: () => null },
    {
      onFrame(_peer, frame) {
        frames.push(frame);
        changed();
      },
      onPeer(_peer, { event }) {
        events.push(event);
        changed();
      },
    },
  );
  const listener = await listenTls({
    address: { host, port: 0 },
    credentials: own,
    log,
    onPeer: (transport) => links.accept(transport),
    onJoin: (channel) => channel.abort(),
  });
  t.after(async () => {
    links.close('the test is over');
    await listener.close();
  });
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { links, dialer, listener, address: formatAddress(listener.address), frames, events, warnings, until };
}

const announce = (i: number): PeerFrame => ({ frame: 'announce', address: `${i}` });
const announced = (node: RealNode): string[] =>
  node.frames.map((frame) => (frame.frame === 'announce' ? frame.address : ''));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

for (const host of ['127.0.0.1', '::1']) {
  test(`two nodes exchange frames over ${host}`, async (t) => {
    const authority = Authority.create('c0ffee');
    let b: RealNode;
    try {
      b = await startNode(t, credentials(authority, B), host);
    } catch (error) {
      if (host !== '::1') throw error;
      t.skip(`no IPv6 here: ${String(error)}`);
      return;
    }
    const a = await startNode(t, credentials(authority, A), host);
    a.links.add(B, b.address);
    b.links.add(A, a.address);
    for (let i = 0; i < 100; i++) a.links.send(B, announce(i));
    b.links.send(A, announce(7));
    await b.until(() => b.frames.length === 100);
    await a.until(() => a.frames.length === 1);
    assert.deepEqual(announced(b), numbers(100));
    assert.deepEqual(a.events, ['up']);
  });
}

test('views of shared memory are sent as they are', async (t) => {
  const authority = Authority.create('c0ffee');
  const a = await startNode(t, credentials(authority, A));
  const b = await startNode(t, credentials(authority, B));
  a.links.add(B, b.address);
  const memory = new Uint8Array(new SharedArrayBuffer(8192));
  new SeededRandom(1).fill(memory);
  a.links.sendBulk(B, {
    frame: 'join',
    protocolMin: 1,
    protocolMax: 1,
    build: 'test',
    capabilities: [],
    required: [],
    token: new Uint8Array(8),
    secret: new Uint8Array(32),
    name: 'name',
    address: 'address',
    publicKey: memory,
  });
  await b.until(() => b.frames.length === 1);
  const [frame] = b.frames;
  assert(frame?.frame === 'join');
  assertSame(frame.publicKey, Uint8Array.from(memory), 'the key');
});

test('frames cross a connection that is cut again and again', async (t) => {
  const authority = Authority.create('c0ffee');
  const a = await startNode(t, credentials(authority, A));
  const b = await startNode(t, credentials(authority, B));
  const proxy = await cuttingProxy(t, b.listener.address.port);
  a.links.add(B, `127.0.0.1:${proxy.port}`);
  b.links.add(A, '');
  const count = 600;
  for (let i = 0; i < count; i++) {
    a.links.send(B, announce(i));
    b.links.send(A, announce(i));
    if (i % 100 === 99) {
      await b.until(() => b.frames.length > i - 50);
      proxy.cut();
    }
  }
  await b.until(() => b.frames.length === count);
  await a.until(() => a.frames.length === count);
  assert.deepEqual(announced(b), numbers(count));
  assert.deepEqual(announced(a), numbers(count));
  assert.deepEqual(a.events, ['up'], 'no one is told of a short break');
});

/** Passes bytes to a port until `cut` breaks every connection, wherever it is. */
async function cuttingProxy(t: TestContext, target: number): Promise<{ port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  return { port: address.port, cut };
}

test('a goodbye has been heard when the connections are closed, whoever had made them', async (t) => {
  const authority = Authority.create('c0ffee');
  const b = await startNode(t, credentials(authority, B));
  for (const dials of [true, false]) {
    const a = await startNode(t, credentials(authority, A));
    if (dials) a.links.add(B, b.address);
    else b.links.add(A, a.address);
    await a.until(() => a.links.isUp(B));
    await b.until(() => b.links.isUp(A));
    a.links.close('it stops');
    await Promise.all([a.listener.close(), a.dialer.closed()]);
    assert.equal(b.events.at(-1), 'closed');
    b.links.remove(A, 'over');
  }
});

test('a node of another authority cannot connect, and is named in the log', async (t) => {
  const b = await startNode(t, credentials(Authority.create('c0ffee'), B));
  const a = credentials(Authority.create('c0ffee'), A);
  const result = await new Promise((resolve) => new TlsDialer(a).dial(B, b.address, resolve));
  assert.deepEqual(result, { failed: "its certificate is not of this cluster's authority" });

  // One that does not care who it talks to is refused as well.
  const rogue = connectTls({
    port: b.listener.address.port,
    host: '127.0.0.1',
    ALPNProtocols: ['godwit-link'],
    key: a.key,
    cert: a.certificate,
    rejectUnauthorized: false,
  });
  rogue.on('error', () => {});
  rogue.resume();
  await once(rogue, 'close');
  await b.until(() => b.warnings.some((line) => line.includes("not of this cluster's authority")));
  assert.deepEqual(b.events, []);
});

test('a node that is not the expected one is not used', async (t) => {
  const authority = Authority.create('c0ffee');
  const b = await startNode(t, credentials(authority, B));
  const dialer = new TlsDialer(credentials(authority, A));
  const result = await new Promise((resolve) => dialer.dial(nodeId(3), b.address, resolve));
  assert.deepEqual(result, { failed: `${b.address} is node 2, not node 3` });
});

test('TLS 1.2, plain text and a missing certificate are refused, and the node lives on', async (t) => {
  const authority = Authority.create('c0ffee');
  const b = await startNode(t, credentials(authority, B));
  const { port } = b.listener.address;

  const old = connectTls({
    port,
    host: '127.0.0.1',
    maxVersion: 'TLSv1.2',
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  });
  const [error] = (await once(old, 'error')) as [Error];
  assert.match(error.message, /protocol version/);

  const plain = connectTcp(port, '127.0.0.1');
  plain.end('GET / HTTP/1.1\r\n\r\n');
  plain.resume();
  await once(plain, 'close');

  const nameless = connectTls({ port, host: '127.0.0.1', ALPNProtocols: ['godwit-link'], rejectUnauthorized: false });
  nameless.on('error', () => {});
  nameless.resume();
  await once(nameless, 'close');
  await b.until(() => b.warnings.length === 3);
  // Each reason in words, with no code or text of OpenSSL's.
  assert.deepEqual(b.warnings, [
    'connection refused: it does not speak TLS 1.3, so it is no Godwit node',
    'connection refused: it speaks HTTP, so it is no Godwit node',
    'connection refused: it has no certificate',
  ]);

  const a = await startNode(t, credentials(authority, A));
  a.links.add(B, b.address);
  await a.until(() => a.events.includes('up'));
});

test('a member that sends rubbish loses its link, and is named with the reason', async (t) => {
  const authority = Authority.create('c0ffee');
  const b = await startNode(t, credentials(authority, B));
  const own = credentials(authority, A);
  const rogue = connectTls({
    port: b.listener.address.port,
    host: '127.0.0.1',
    ALPNProtocols: ['godwit-link'],
    key: own.key,
    cert: own.certificate,
    rejectUnauthorized: false,
  });
  rogue.write('this is no frame, but longer than a header');
  rogue.resume();
  await once(rogue, 'close');
  await b.until(() => b.warnings.length > 0);
  assert.match(b.warnings[0] ?? '', /no link is possible: .*is no frame type/);
});
