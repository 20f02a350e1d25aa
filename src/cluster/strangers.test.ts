/** Joining under virtual time: strangers who say nothing, too much or something else, and members that answer so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import type { Frame, FrameOf } from '../link/frames.ts';
import { encodeFrame } from '../link/frames.ts';
import { PROTOCOL } from '../link/greeting.ts';
import { FrameParser } from '../link/parser.ts';
import type { Channel, TransportEvents } from '../link/transport.ts';
import type { Certifier } from './founder.ts';
import { Founder } from './founder.ts';
import { JoinServer, join } from './join.ts';
import type { Joined } from './join.ts';
import type { Member } from './members.ts';
import { MemoryStore } from './store.ts';
import { formatToken, parseToken } from './tokens.ts';

const FINGERPRINT = new Uint8Array(32).fill(7);
const CERTIFIER: Certifier = {
  certificate: 'authority',
  certify: (node) => `certificate of ${node}`,
  sha256: (bytes) => Uint8Array.from({ length: 32 }, (_, i) => bytes[i % bytes.length] ?? 0),
  fingerprint: () => FINGERPRINT,
};
const BUILD = { build: 'test', capabilities: [], required: [] };

/** A channel whose other end is the test's. */
class TestChannel implements Channel {
  /** Frames that were sent to the other end. */
  readonly sent: Frame[] = [];
  ended: 'end' | 'abort' | null = null;
  #events: TransportEvents | null = null;
  readonly #parser = new FrameParser(LIMITS.frameBytes);

  start(events: TransportEvents): void {
    this.#events = events;
  }

  send(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) this.#parser.push(part, (frame) => this.sent.push(frame) > 0);
    return true;
  }

  end(): void {
    this.ended ??= 'end';
  }

  abort(): void {
    this.ended ??= 'abort';
  }

  /** What the other end says. */
  hear(bytes: Uint8Array): void {
    if (this.ended === null) this.#events?.bytes(bytes);
  }

  hearFrame(frame: Frame): void {
    for (const part of encodeFrame(frame).parts) this.hear(part);
  }

  /** The other end is gone. */
  lose(): void {
    if (this.ended === null) this.#events?.closed('connection reset');
  }
}

/** Lets what promises have settled happen. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

function setUp(size = 1): { clock: VirtualClock; joins: JoinServer; token: () => Promise<FrameOf<'join'>> } {
  const clock = new VirtualClock();
  const store = new MemoryStore();
  const members = Array.from({ length: size }, (_, i): Member => ({
    node: nodeId(i + 1),
    name: `host${i + 1}`,
    address: `host${i + 1}:1`,
    fingerprint: FINGERPRINT,
    boot: 0n,
    state: 'down',
  }));
  store.save({ memberList: { version: 1n, founder: nodeId(1), members } });
  const founder = new Founder({ clock, random: new SeededRandom(1), log: silentLog, store, certifier: CERTIFIER });
  const joins = new JoinServer({
    clock,
    log: silentLog,
    self: BUILD,
    cluster: 'test',
    engine: founder,
    founder: () => 'first (host1:1)',
    certificateBytes: (certificate) => Buffer.from(certificate),
  });
  const token = async (): Promise<FrameOf<'join'>> => {
    const { id, secret } = parseToken((await founder.createToken()).token);
    return {
      frame: 'join',
      protocolMin: PROTOCOL.min,
      protocolMax: PROTOCOL.max,
      ...BUILD,
      token: id,
      secret,
      name: 'second',
      address: '0.0.0.0:2',
      publicKey: new Uint8Array(10),
    };
  };
  return { clock, joins, token };
}

/** What the server answers to one frame of a stranger at `remote`. */
async function answerTo(joins: JoinServer, frame: Frame, remote = '10.0.0.9'): Promise<Frame | undefined> {
  const channel = new TestChannel();
  joins.serve(channel, remote);
  channel.hearFrame(frame);
  await settled();
  assert.equal(channel.sent.length, 1);
  return channel.sent[0];
}

test('a stranger who says nothing, or not all of a frame, is waited for only so long', () => {
  const { clock, joins } = setUp();
  const silent = new TestChannel();
  const half = new TestChannel();
  joins.serve(silent, '10.0.0.1');
  joins.serve(half, '10.0.0.2');
  half.hear(encodeFrame({ frame: 'announce', address: 'x:1' }).parts[0]!.subarray(0, 5));
  clock.advance(TIMING.joinMs - 1);
  assert.deepEqual([silent.ended, half.ended], [null, null]);
  clock.advance(1);
  assert.deepEqual([silent.ended, half.ended], ['abort', 'abort']);
  assert.deepEqual([silent.sent, half.sent], [[], []]);
});

test('only so many strangers are heard at once; the others are told, and can come when those are gone', async () => {
  const { joins, token } = setUp();
  const waiting = Array.from({ length: LIMITS.pendingJoins }, (_, i) => {
    const channel = new TestChannel();
    joins.serve(channel, `10.0.1.${i}`);
    return channel;
  });
  const asked = await token();
  const refused = new TestChannel();
  joins.serve(refused, '10.0.0.1');
  assert.equal(refused.ended, 'end');
  assert.deepEqual(
    refused.sent.map((frame) => frame.frame === 'join_refused' && frame.code),
    ['limit'],
  );
  waiting[3]!.lose();
  const reply = await answerTo(joins, asked);
  assert.equal(reply?.frame, 'joined');
  joins.close();
  assert.equal(
    waiting.every(({ ended }, i) => ended === (i === 3 ? null : 'abort')),
    true,
  );
});

test('a node of another protocol version is refused, and its token stays good', async () => {
  const { joins, token } = setUp();
  const asked = await token();
  for (const [protocolMin, protocolMax] of [
    [0, PROTOCOL.min - 1],
    [PROTOCOL.max + 1, 65_535],
    // The wrong way round: none at all.
    [PROTOCOL.max + 1, PROTOCOL.min - 1],
  ] as const) {
    const reply = await answerTo(joins, { ...asked, protocolMin, protocolMax });
    assert(reply?.frame === 'join_refused');
    assert.equal(reply.code, 'version_mismatch');
    assert.match(reply.reason, new RegExp(`yours \\(build test\\) ${protocolMin} to ${protocolMax}: install`));
  }
  const reply = await answerTo(joins, asked);
  assert(reply?.frame === 'joined');
  assert.equal(reply.members.find(({ node }) => node === reply.node)?.address, '10.0.0.9:2');
});

test('one frame of each stranger is read, whatever follows it', async () => {
  const { joins, token } = setUp();
  const channel = new TestChannel();
  joins.serve(channel, '10.0.0.1');
  channel.hearFrame({ frame: 'ack' });
  channel.hearFrame(await token());
  await settled();
  assert.deepEqual(
    channel.sent.map((frame) => frame.frame === 'join_refused' && [frame.code, frame.reason]),
    [['usage', 'frame ack of a stranger']],
  );
  assert.equal(channel.ended, 'end');
});

test('an address that guesses is heard again after a minute, and so many guessers are remembered only', async () => {
  const { clock, joins, token } = setUp();
  const asked = await token();
  const guess = { ...asked, secret: new Uint8Array(32) };
  const code = async (frame: Frame, remote: string): Promise<unknown> => {
    const reply = await answerTo(joins, frame, remote);
    return reply?.frame === 'join_refused' ? reply.code : reply?.frame;
  };
  for (let i = 0; i < LIMITS.joinFailures; i++) assert.equal(await code(guess, 'bad'), 'token_invalid');
  assert.equal(await code(asked, 'bad'), 'limit');
  clock.advance(60_000);
  assert.equal(await code(guess, 'bad'), 'token_invalid', 'counted from the beginning');
  for (let i = 1; i < LIMITS.joinFailures; i++) await code(guess, 'bad');
  assert.equal(await code(guess, 'bad'), 'limit');
  for (let i = 0; i < 1024; i++) assert.equal(await code(guess, `other ${i}`), 'token_invalid');
  assert.equal(await code(asked, 'bad'), 'joined', 'forgotten for newer ones');
});

test('a cluster that has had as many nodes as it can takes no more', async () => {
  const { joins, token } = setUp(LIMITS.members);
  const reply = await answerTo(joins, await token());
  assert(reply?.frame === 'join_refused');
  assert.deepEqual([reply.code, reply.reason.includes(`${LIMITS.members} nodes`)], ['limit', true]);
});

function asks(): { clock: VirtualClock; channel: TestChannel; joined: Promise<Joined> } {
  const clock = new VirtualClock();
  const channel = new TestChannel();
  const joined = join({
    clock,
    self: BUILD,
    address: { host: 'host1', port: 1 },
    token: formatToken({ fingerprint: FINGERPRINT, id: new Uint8Array(8), secret: new Uint8Array(32) }),
    name: 'second',
    ownAddress: '0.0.0.0:2',
    publicKey: new Uint8Array(10),
    dial: () => Promise.resolve(channel),
    sha256: (bytes) => new Uint8Array(32).fill(bytes[0] ?? 0),
  });
  return { clock, channel, joined };
}

test('an answer that is none, or is of another cluster, lets no node join', async () => {
  const answer: FrameOf<'joined'> = {
    frame: 'joined',
    cluster: 'test',
    node: nodeId(2),
    certificate: Uint8Array.of(1),
    authority: Uint8Array.of(7),
    version: 2n,
    founder: nodeId(1),
    members: [],
  };
  for (const [frame, wanted] of [
    [
      { ...answer, authority: Uint8Array.of(8) },
      { code: 'protocol', message: /another cluster than the token/ },
    ],
    [
      { frame: 'announce', address: 'x:1' },
      { code: 'protocol', message: /frame announce is no answer/ },
    ],
    [
      { frame: 'join_refused', code: 'token_invalid', reason: 'used' },
      { code: 'token_invalid', message: 'used' },
    ],
  ] as const) {
    const { channel, joined } = asks();
    await settled();
    channel.hearFrame(frame);
    await assert.rejects(joined, wanted);
    assert.equal(channel.ended, 'end');
  }
  const { channel, joined } = asks();
  await settled();
  channel.hearFrame(answer);
  assert.equal((await joined).node, 2);
});

test('a member that is silent, goes away or sends rubbish is given up with the reason', async () => {
  for (const [does, message] of [
    [({ clock }: ReturnType<typeof asks>) => clock.advance(TIMING.joinMs), /does not answer/],
    [({ channel }: ReturnType<typeof asks>) => channel.lose(), /connection reset/],
    [({ channel }: ReturnType<typeof asks>) => channel.hear(Buffer.from('HTTP/1.1 400 Bad Request')), /is no frame/],
  ] as const) {
    const asking = asks();
    await settled();
    does(asking);
    await assert.rejects(asking.joined, { code: 'node_down', message });
    assert.equal(asking.channel.ended, 'abort');
  }
});
