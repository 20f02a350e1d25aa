import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import { sha256 } from './authority.ts';
import type { TokenRecord } from './store.ts';
import type { TokenParts } from './tokens.ts';
import { formatToken, parseToken, Tokens } from './tokens.ts';

const KEY = Uint8Array.of(1, 2, 3);
const OTHER_KEY = Uint8Array.of(4, 5, 6);

function setUp(
  records: readonly TokenRecord[] = [],
  clock = new VirtualClock(),
): { tokens: Tokens; clock: VirtualClock } {
  const fingerprint = Uint8Array.from({ length: 32 }, (_, i) => i);
  return { tokens: new Tokens({ clock, random: new SeededRandom(1), sha256, fingerprint }, records), clock };
}

function check(tokens: Tokens, { id, secret }: TokenParts, key = KEY): number | null {
  return tokens.check(id, secret, key);
}

test('a token carries fingerprint, id and secret, and is kept only as a hash', () => {
  const { tokens, clock } = setUp();
  const { token: text, expires } = tokens.create();
  assert.equal(expires, clock.wallNanos() + BigInt(TIMING.tokenLifetimeMs) * 1_000_000n);
  assert.match(text, /^gdw1\.[A-Za-z0-9_-]{96}$/);
  const parts = parseToken(text);
  assert.equal(formatToken(parts), text);
  assert.equal(parts.fingerprint[31], 31);
  const stored = JSON.stringify(tokens.records.map((r) => [r.id.toHex(), r.secretHash.toHex()]));
  assert(!stored.includes(parts.secret.toHex()));
  assert.equal(check(tokens, parts), null);
});

test('what is no token is refused as such', () => {
  const { tokens } = setUp();
  const { token: text } = tokens.create();
  for (const wrong of [
    '',
    'gdw1.',
    text.slice(0, -1),
    `${text}A`,
    text.replace('gdw1', 'gdw2'),
    `${text.slice(0, -1)}!`,
  ]) {
    assert.throws(() => parseToken(wrong), { code: 'token_invalid' }, wrong);
  }
});

test('unknown, wrong and expired tokens are refused', () => {
  const { tokens, clock } = setUp();
  const parts = parseToken(tokens.create().token);
  assert.throws(() => check(tokens, { ...parts, id: new Uint8Array(8) }), { code: 'token_invalid' });
  assert.throws(() => check(tokens, { ...parts, secret: new Uint8Array(32) }), { code: 'token_invalid' });
  clock.advance(TIMING.tokenLifetimeMs - 1);
  assert.equal(check(tokens, parts), null);
  clock.advance(1);
  assert.throws(() => check(tokens, parts), { code: 'token_invalid', message: /expired/ });
  assert.deepEqual(tokens.records, []);
});

test('a token is good for one node, which may ask again', () => {
  const { tokens } = setUp();
  const parts = parseToken(tokens.create().token);
  const used = tokens.used(parts.id, KEY, nodeId(7));
  assert.equal(check(tokens, parts, OTHER_KEY), null, 'not used up before it is saved');
  tokens.adopt(used);
  assert.equal(check(tokens, parts), 7);
  assert.throws(() => check(tokens, parts, OTHER_KEY), { code: 'token_invalid', message: /has been used/ });
  assert.deepEqual(
    tokens.records.map((record) => record.used?.node),
    [7],
  );
});

test('a wall clock that jumps does not lengthen the life of a token', () => {
  const { tokens, clock } = setUp();
  const parts = parseToken(tokens.create().token);
  clock.jumpWall(-24 * 3_600_000);
  clock.advance(TIMING.tokenLifetimeMs);
  assert.throws(() => check(tokens, parts), { code: 'token_invalid' });

  const later = setUp();
  const other = parseToken(later.tokens.create().token);
  later.clock.jumpWall(24 * 3_600_000);
  assert.throws(() => check(later.tokens, other), { code: 'token_invalid' });
});

test('a token lives on over a restart, but not longer than a new one', () => {
  const { tokens, clock } = setUp();
  const parts = parseToken(tokens.create().token);
  clock.advance(1000);
  const { tokens: restarted } = setUp(tokens.records, clock);
  assert.equal(check(restarted, parts), null);
  clock.jumpWall(-3_600_000);
  assert.throws(() => check(setUp(tokens.records, clock).tokens, parts), { code: 'token_invalid' });
  clock.jumpWall(3_600_000);
  clock.advance(TIMING.tokenLifetimeMs - 1001);
  assert.equal(check(restarted, parts), null);
  clock.advance(1);
  assert.throws(() => check(restarted, parts), { code: 'token_invalid' });
});

test('the number of tokens is bounded', () => {
  const { tokens, clock } = setUp();
  for (let i = 0; i < LIMITS.joinTokens; i++) tokens.create();
  assert.throws(() => tokens.create(), { code: 'limit' });
  clock.advance(TIMING.tokenLifetimeMs);
  tokens.create();
});
