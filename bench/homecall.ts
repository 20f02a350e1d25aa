/** What a call costs that has to be carried out at home, against a ping-pong on a bare connection. */
import type { Benchmark, Row } from './benchmark.ts';
import { Guest } from './cluster/guest.ts';
import { withLab } from './cluster/lab.ts';
import { onOneProcessor } from './cluster/processor.ts';
import { program } from './programs.ts';
import { best } from './statistics.ts';
import { TlsPeer } from './tls/peer.ts';
import { CallingWorker } from './tls/worker-calls.ts';

const CALLS = 20_000;
/** A call frame and its reply with their headers: a pid, an incarnation, a number, a request or 24 bytes of fdstat. */
const MESSAGE_BYTES = 64;
/** How many times the sides take turns in a round: short ones, so that some are not disturbed. */
const TURNS = 20;

export const homecall: Benchmark = {
  name: 'homecall',
  operands: '',
  summary: 'round trip of a home call, against a TLS ping-pong between two processes',
  limit: 300,
  columns: [
    { key: 'name', meaning: 'the system call that a guest away from home makes, and where the threads run' },
    { key: 'roundtrip_us', digits: 1, meaning: 'mean of the best turn, seen by the guest' },
    {
      key: 'tls_us',
      digits: 1,
      meaning: `the same for ${MESSAGE_BYTES} bytes there and back between two Node processes`,
    },
    { key: 'ratio', digits: 2, meaning: 'roundtrip_us by tls_us' },
    {
      key: 'floor_us',
      digits: 1,
      meaning: 'that exchange when a worker asks its main thread for it, which no call of a guest can do without',
    },
  ],
  async *run(context) {
    const { rounds, tiny, signal } = context;
    const { path } = await program('homecall');
    yield* withLab(2, signal, async function* (lab) {
      await using guest = await Guest.start(lab, path, []);
      await using peer = await TlsPeer.start(signal);
      await using worker = await CallingWorker.start(peer, MESSAGE_BYTES);
      await guest.move('node2');
      const calls = tiny ? 10 : CALLS / TURNS;
      const sides: Sides = {
        call: async () => Number(await guest.ask(String(calls))) / 1000,
        tls: () => pingPong(peer, calls),
        floor: () => worker.measure(calls),
      };
      yield await measure('fd_fdstat_get', sides, rounds * TURNS);
      const release = await onOneProcessor([process.pid, peer.pid, ...lab.nodes.map(({ pid }) => pid)]);
      if (release === null) {
        context.note('on one processor it was not measured: there is no taskset here');
        return;
      }
      try {
        yield await measure('fd_fdstat_get, one processor', sides, rounds * TURNS);
      } finally {
        await release();
      }
    });
  },
};

/** Microseconds of each call or exchange in one turn. */
interface Sides {
  readonly call: () => Promise<number>;
  readonly tls: () => Promise<number>;
  readonly floor: () => Promise<number>;
}

async function measure(name: string, { call, tls, floor }: Sides, turns: number): Promise<Row> {
  const times: { readonly call: number; readonly tls: number; readonly floor: number }[] = [];
  // The first turn warms all sides up.
  for (let turn = 0; turn <= turns; turn++) {
    const measured = { call: await call(), tls: await tls(), floor: await floor() };
    if (turn > 0) times.push(measured);
  }
  const roundtrip_us = best(times.map((turn) => turn.call));
  const tls_us = best(times.map((turn) => turn.tls));
  return { name, roundtrip_us, tls_us, ratio: roundtrip_us / tls_us, floor_us: best(times.map((turn) => turn.floor)) };
}

async function pingPong(peer: TlsPeer, exchanges: number): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < exchanges; i++) await peer.exchange(MESSAGE_BYTES, MESSAGE_BYTES);
  return ((performance.now() - begin) * 1000) / exchanges;
}
