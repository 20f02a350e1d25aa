import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_BYTES, TlsPeer } from '../../bench/tls/peer.ts';

test('the TLS baseline exchanges messages of any sizes, one after the other', async () => {
  await using peer = await TlsPeer.start(AbortSignal.timeout(30_000));
  for (const [request, reply] of [
    [HEADER_BYTES, 1],
    [64, 64],
    [256 * 1024 + 1, 1],
    [3_000_000, 100_000],
    [HEADER_BYTES, 1],
  ] as const) {
    assert.ok((await peer.exchange(request, reply)) > 0);
  }
});

test('a baseline that takes too long is ended', async () => {
  const abort = new AbortController();
  abort.abort();
  await assert.rejects(TlsPeer.start(abort.signal), { name: 'AbortError' });
});
