/** What a call costs that has to be carried out at home, against a ping-pong on a bare connection. */
import type { Benchmark } from './benchmark.ts';
import { Guest } from './cluster/guest.ts';
import { withLab } from './cluster/lab.ts';
import { program } from './programs.ts';
import { best } from './statistics.ts';
import { TlsPeer } from './tls/peer.ts';

const CALLS = 20_000;
/** A call frame and its reply with their headers: a pid, an incarnation, a number, a request or 24 bytes of fdstat. */
const MESSAGE_BYTES = 64;
/** How many times the two sides take turns in a round: short ones, so that some are not disturbed. */
const TURNS = 20;

export const homecall: Benchmark = {
  name: 'homecall',
  operands: '',
  summary: 'round trip of a home call, against a TLS ping-pong between two processes',
  limit: 300,
  columns: [
    { key: 'name', meaning: 'the system call that a guest away from home makes' },
    { key: 'roundtrip_us', digits: 1, meaning: 'mean of the best turn, seen by the guest' },
    {
      key: 'tls_us',
      digits: 1,
      meaning: `the same for ${MESSAGE_BYTES} bytes there and back between two Node processes`,
    },
    { key: 'ratio', digits: 2, meaning: 'roundtrip_us by tls_us' },
  ],
  async *run({ rounds, tiny, signal }) {
    const { path } = await program('homecall');
    yield* withLab(2, signal, async function* (lab) {
      await using guest = await Guest.start(lab, path, []);
      await using peer = await TlsPeer.start(signal);
      await guest.move('node2');
      const calls = tiny ? 10 : CALLS / TURNS;
      const guestTimes: number[] = [];
      const tlsTimes: number[] = [];
      // The first turn warms both sides up.
      for (let turn = 0; turn <= rounds * TURNS; turn++) {
        const nanos = Number(await guest.ask(String(calls)));
        const begin = performance.now();
        for (let i = 0; i < calls; i++) await peer.exchange(MESSAGE_BYTES, MESSAGE_BYTES);
        const tls = ((performance.now() - begin) * 1000) / calls;
        if (turn === 0) continue;
        guestTimes.push(nanos / 1000);
        tlsTimes.push(tls);
      }
      const roundtrip_us = best(guestTimes);
      const tls_us = best(tlsTimes);
      yield { name: 'fd_fdstat_get', roundtrip_us, tls_us, ratio: roundtrip_us / tls_us };
    });
  },
};
