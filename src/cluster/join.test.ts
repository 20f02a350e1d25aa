/** Joining over real TLS on loopback, with the real authority. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { silentLog } from '../base/env.ts';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { SeededRandom } from '../base/virtual.ts';
import { formatAddress } from '../link/address.ts';
import { encodeFrame } from '../link/frames.ts';
import type { Build } from '../link/greeting.ts';
import { nodeOfSubject } from '../link/identity.ts';
import { realClock } from '../link/testing/real.ts';
import { listenTls } from '../link/tls.ts';
import { certificateBytes, createNodeKey, fingerprintOf } from './authority.ts';
import { Founder } from './founder.ts';
import { JoinServer } from './join.ts';
import { certifierOf, credentialsOf, foundCluster, joinCluster } from './start.ts';
import type { NodeIdentity } from './store.ts';
import { MemoryStore } from './store.ts';
import { formatToken, parseToken } from './tokens.ts';

const random = new SeededRandom(1);

interface Server {
  readonly identity: NodeIdentity;
  readonly founder: Founder;
  readonly address: string;
  readonly port: number;
  /** Why others were refused, as in the log. */
  readonly reasons: unknown[];
}

async function serve(t: TestContext, keepsList = true): Promise<Server> {
  const store = new MemoryStore();
  const identity = foundCluster(store, random, 'first', '127.0.0.1:1');
  const certifier = certifierOf(identity);
  assert(certifier);
  const founder = new Founder({ clock: realClock, random, log: silentLog, store, certifier });
  const reasons: unknown[] = [];
  const joins = new JoinServer({
    clock: realClock,
    log: { ...silentLog, warn: (_message, fields = {}) => void reasons.push(fields['reason']) },
    self: { build: 'server build', capabilities: ['both'], required: ['both'] },
    cluster: identity.cluster,
    engine: keepsList ? founder : null,
    founder: () => 'first (10.0.0.1:4000)',
    certificateBytes,
  });
  const listener = await listenTls({
    address: { host: '127.0.0.1', port: 0 },
    credentials: credentialsOf(identity),
    log: silentLog,
    onPeer: (transport) => transport.abort(),
    onJoin: (channel, remote) => joins.serve(channel, remote),
  });
  t.after(async () => {
    joins.close();
    await listener.close();
  });
  return { identity, founder, address: formatAddress(listener.address), port: listener.address.port, reasons };
}

const CLIENT: Build = { build: 'client', capabilities: ['both', 'more'], required: ['both'] };

function ask(
  address: string,
  token: string,
  name = 'second',
  store = new MemoryStore(),
  self = CLIENT,
): Promise<NodeIdentity> {
  return joinCluster(store, { clock: realClock, self, join: address, token, name, address: '0.0.0.0:99' });
}

test('a node joins with a token and gets an id and a certificate', async (t) => {
  const { identity: first, founder, address } = await serve(t);
  const store = new MemoryStore();
  const identity = await ask(address, (await founder.createToken()).token, 'second', store);
  assert.equal(identity.node, 2);
  assert.equal(identity.founder, 1);
  assert.equal(identity.cluster, first.cluster);
  const certificate = new X509Certificate(identity.certificate);
  const authority = new X509Certificate(identity.authority);
  assert.equal(nodeOfSubject(certificate.subject, first.cluster), 2);
  assert(certificate.checkIssued(authority) && certificate.verify(authority.publicKey));
  const members = store.load().memberList?.members.map((m) => [m.node, m.name, m.address, m.state]);
  assert.deepEqual(members, [
    [1, 'first', '127.0.0.1:1', 'down'],
    // The wildcard has become the address that the founder saw.
    [2, 'second', '127.0.0.1:99', 'down'],
  ]);
  assert.deepEqual(founder.list.members[1]?.fingerprint, fingerprintOf(identity.certificate));
});

test('a founder that listens on all its addresses is where the member has reached it', async (t) => {
  const { founder, identity, address } = await serve(t);
  founder.report(identity.node, { address: '0.0.0.0:7' });
  const store = new MemoryStore();
  await ask(address, (await founder.createToken()).token, 'second', store);
  assert.equal(store.load().memberList?.members[0]?.address, '127.0.0.1:7');
});

test('used, unknown and damaged tokens are refused with the way out', async (t) => {
  const { founder, address } = await serve(t);
  const token = (await founder.createToken()).token;
  await ask(address, token);
  await assert.rejects(ask(address, token, 'third'), { code: 'token_invalid', message: /has been used.*godwit token/ });
  const parts = parseToken(token);
  const unknown = formatToken({ ...parts, id: new Uint8Array(8) });
  await assert.rejects(ask(address, unknown, 'third'), { code: 'token_invalid', message: /unknown or has expired/ });
  await assert.rejects(ask(address, token.slice(0, -3)), { code: 'token_invalid', message: /not a join token/ });
  assert.equal(founder.list.members.length, 2);
});

test('a node that asks the wrong cluster does not give its secret away', async (t) => {
  const { founder } = await serve(t);
  const other = await serve(t);
  await assert.rejects(ask(other.address, (await founder.createToken()).token), {
    code: 'token_invalid',
    message: /does not belong to the cluster that made the token/,
  });
});

test('a name that is taken or cannot be is refused, and the token stays good', async (t) => {
  const { founder, address } = await serve(t);
  const token = (await founder.createToken()).token;
  await assert.rejects(ask(address, token, 'first'), { code: 'usage', message: /the name first is taken.*--name/ });
  await assert.rejects(ask(address, token, '12'), { code: 'usage', message: /--name/ });
  await ask(address, token, 'second');
});

test('a build that could not work with the others is refused before it is a member, and the token stays good', async (t) => {
  const { founder, address } = await serve(t);
  const { token } = await founder.createToken();
  const other = (self: Partial<Build>): Promise<NodeIdentity> =>
    ask(address, token, 'second', new MemoryStore(), { ...CLIENT, ...self });
  await assert.rejects(other({ capabilities: ['more'] }), {
    code: 'version_mismatch',
    message: /build client lacks both: install the same Godwit/,
  });
  await assert.rejects(other({ required: ['more'] }), {
    code: 'version_mismatch',
    message: /build server build lacks more: /,
  });
  assert.equal(founder.list.members.length, 1);
  await other({});
});

test('a bug while a node is taken in refuses that node, and ends nothing', async (t) => {
  const { founder, address } = await serve(t);
  const { token } = await founder.createToken();
  t.mock.method(founder, 'admit', () => Promise.reject(new TypeError('x is undefined')));
  await assert.rejects(ask(address, token), { code: 'io', message: /x is undefined/ });
  t.mock.restoreAll();
  assert.equal((await ask(address, token)).node, 2);
});

test('a node that lost the answer asks again and gets the same place', async (t) => {
  const { founder } = await serve(t);
  const { id, secret } = parseToken((await founder.createToken()).token);
  const { publicKey } = createNodeKey();
  const application = { token: id, secret, name: 'second', address: 'x:1', publicKey };
  const first = await founder.admit(application);
  const again = await founder.admit(application);
  assert.equal(again.node, first.node);
  assert.equal(founder.list.members.length, 2);
});

test('a public key that is none, or of another kind, is refused', async (t) => {
  const { founder } = await serve(t);
  const { id, secret } = parseToken((await founder.createToken()).token);
  for (const publicKey of [new Uint8Array(0), new Uint8Array(91)]) {
    await assert.rejects(founder.admit({ token: id, secret, name: 'n', address: 'x:1', publicKey }), {
      code: 'protocol',
    });
  }
});

test('a member that does not keep the list says who does', async (t) => {
  const { founder, address } = await serve(t, false);
  await assert.rejects(ask(address, (await founder.createToken()).token), {
    code: 'usage',
    message: /only first \(10\.0\.0\.1:4000\) can take/,
  });
});

test('a full disk refuses the node and changes nothing', async () => {
  class FullStore extends MemoryStore {
    full = false;
    override save(change: Parameters<MemoryStore['save']>[0]): void {
      assert(!this.full);
      super.save(change);
    }
  }
  const store = new FullStore();
  const certifier = certifierOf(foundCluster(store, random, 'first', 'x:1'));
  assert(certifier);
  const founder = new Founder({ clock: realClock, random, log: silentLog, store, certifier });
  const { id, secret } = parseToken((await founder.createToken()).token);
  const application = { token: id, secret, name: 'n', address: 'x:1', publicKey: createNodeKey().publicKey };
  store.full = true;
  await assert.rejects(founder.admit(application));
  assert.equal(founder.list.members.length, 1);
  store.full = false;
  assert.equal((await founder.admit(application)).node, 2);
});

/** Someone without a certificate who does not keep to the protocol. */
async function stranger(t: TestContext, port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: ['godwit-join'], rejectUnauthorized: false });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

test('strangers can send one small frame and nothing else', async (t) => {
  const { founder, address, port, reasons } = await serve(t);
  const rubbish = await stranger(t, port);
  rubbish.write('this is no frame at all, whatever it may be');
  rubbish.resume();
  await once(rubbish, 'close');
  assert.deepEqual(reasons, ['0x6920 is no frame type']);

  const long = await stranger(t, port);
  const [head] = encodeFrame({ frame: 'goodbye', reason: 'x'.repeat(LIMITS.joinFrameBytes) }).parts;
  assert(head);
  long.write(head.subarray(0, 100));
  long.resume();
  await once(long, 'close');

  const other = await stranger(t, port);
  other.write(encodeFrame({ frame: 'announce', address: 'x:1' }).parts[0] ?? '');
  const [reply] = (await once(other, 'data')) as [Buffer];
  assert.match(reply.toString('latin1'), /frame announce of a stranger/);

  await ask(address, (await founder.createToken()).token);
});

test('who guesses too often is not listened to for a while', async (t) => {
  const { founder, address } = await serve(t);
  const token = (await founder.createToken()).token;
  const wrong = formatToken({ ...parseToken(token), secret: new Uint8Array(32) });
  for (let i = 0; i < LIMITS.joinFailures; i++) await assert.rejects(ask(address, wrong), { code: 'token_invalid' });
  await assert.rejects(ask(address, token), { code: 'limit' });
});

test('an address where no one listens, and one that is none, are named', async () => {
  const store = new MemoryStore();
  const { authority } = foundCluster(store, random, 'first', 'x:1');
  const token = formatToken({
    fingerprint: fingerprintOf(authority),
    id: new Uint8Array(8),
    secret: new Uint8Array(32),
  });
  await assert.rejects(ask('127.0.0.1:1', token), { code: 'node_down', message: /127\.0\.0\.1:1/ });
  await assert.rejects(ask('nowhere', token), { code: 'usage', message: /HOST:PORT/ });
  assert.equal(nodeId(1), store.load().identity?.node);
});
