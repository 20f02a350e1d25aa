/** How long a move takes, and for how much of it the program stands still, against the bytes on a bare connection. */
import type { Benchmark, Row } from './benchmark.ts';
import { Guest } from './cluster/guest.ts';
import { withLab } from './cluster/lab.ts';
import { program } from './programs.ts';
import { median } from './statistics.ts';
import { TlsPeer } from './tls/peer.ts';
import type { Lab } from '../src/cli/lab/lab.ts';

/** Size of what the guest holds, in MiB, and how many of them it rewrites in a second. */
const SIZES: readonly (readonly [size: number, rate: number])[] = [
  [1, 0],
  [2, 0],
  [4, 0],
  [16, 0],
  [64, 0],
  [64, 200],
  [128, 0],
  [256, 0],
  [512, 0],
  [512, 200],
];
const TINY: typeof SIZES = [[1, 10]];
/** The largest size that may be asked for, in MiB: three nodes and the memories that they keep are on one machine. */
export const MOST_MB = 2048;
const MOVES = 4;
/** Bytes of a message between the nodes of a move. */
const MESSAGE_BYTES = 64;

export const migrate: Benchmark = {
  name: 'migrate',
  operands: '[MB...]',
  summary: 'moving processes of 1 to 512 MB, or of those sizes, between two remote nodes, against plain TLS',
  limit: 900,
  columns: [
    { key: 'size_mb', digits: 0, meaning: 'MiB that the program holds, incompressible' },
    { key: 'dirty_mb_s', digits: 0, meaning: 'MiB a second that it rewrites' },
    { key: 'freeze_ms', digits: 1, meaning: 'median time that it stands still' },
    { key: 'total_ms', digits: 1, meaning: 'median time from the order to the end of the move' },
    {
      key: 'tls_ms',
      digits: 1,
      meaning: 'median time of the same bytes on one TLS connection between two Node processes',
    },
    {
      key: 'floor_ms',
      digits: 1,
      meaning: 'median time of those bytes with the messages before and behind them that a move needs, without a move',
    },
  ],
  async *run({ operands, rounds, tiny, signal }) {
    const { path } = await program('dirty');
    yield* withLab(3, signal, async function* (lab) {
      await using peer = await TlsPeer.start(signal);
      const chosen = operands.map((size) => [Number(size), 0] as const);
      for (const [size, rate] of chosen.length > 0 ? chosen : tiny ? TINY : SIZES) {
        yield await measure(lab, peer, path, { size, rate, moves: tiny ? 1 : rounds * MOVES });
      }
    });
  },
};

interface Subject {
  readonly size: number;
  readonly rate: number;
  readonly moves: number;
}

async function measure(lab: Lab, peer: TlsPeer, file: string, { size, rate, moves }: Subject): Promise<Row> {
  await using guest = await Guest.start(lab, file, [String(size), String(rate)]);
  await guest.ask();
  // From now on it moves between two nodes that are not its home, directly. The first move to each brings the module.
  for (const node of ['node2', 'node3']) await guest.move(node);
  const freezes: number[] = [];
  const totals: number[] = [];
  const plain: number[] = [];
  const floors: number[] = [];
  for (let i = 0; i < moves; i++) {
    const { freeze_ms, total_ms, image_bytes } = await guest.move(i % 2 === 0 ? 'node2' : 'node3');
    freezes.push(freeze_ms);
    totals.push(total_ms);
    plain.push(await peer.exchange(image_bytes, 1));
    floors.push(await floor(peer, image_bytes));
  }
  return {
    size_mb: size,
    dirty_mb_s: rate,
    freeze_ms: median(freezes),
    total_ms: median(totals),
    tls_ms: median(plain),
    floor_ms: median(floors),
  };
}

/** Home asks the destination, then the source; the image goes and home is told; home says that it counts, and hears. */
async function floor(peer: TlsPeer, bytes: number): Promise<number> {
  const message = (): Promise<number> => peer.exchange(MESSAGE_BYTES, MESSAGE_BYTES);
  const begin = performance.now();
  await message();
  await message();
  await peer.exchange(bytes, MESSAGE_BYTES);
  await message();
  return performance.now() - begin;
}
