/**
 * The source's part of a move: freeze the guest at home's word, send its image straight to the destination as fast as
 * the link takes it, and keep the frozen guest until home says `go_on` (the move is off) or `free` (it runs at the
 * destination). The source decides nothing: while home is silent, the guest stays frozen.
 *
 * Live pre-copy comes in between `freeze`'s arrival and `SourceHost.freeze`: memory is sent while the guest runs,
 * and the image that follows the stop holds only the rest. Neither home nor the failure rules change for it.
 */
import type { Clock, Log } from '../base/env.ts';
import type { MoveId, NodeId, Pid } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named } from '../link/frames/process.ts';
import type { Guests, Transfer } from './guests.ts';
import type { ImageSource, Message, Network, SourceHost, Usage } from './hosts.ts';

export class Source {
  readonly #guests: Guests;
  readonly #host: SourceHost;
  readonly #network: Pick<Network, 'send' | 'hasRoom'>;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(guests: Guests, host: SourceHost, network: Pick<Network, 'send' | 'hasRoom'>, clock: Clock, log: Log) {
    this.#guests = guests;
    this.#host = host;
    this.#network = network;
    this.#clock = clock;
    this.#log = log;
  }

  // Frames from home.

  freeze(from: NodeId, message: Named<MigrationMessage, 'freeze'>): void {
    const { pid, move, incarnation, destination } = message;
    const guest = this.#guests.of(from, pid);
    // What is not here (any more) home hears of otherwise: by `ended`, or by `holdings`.
    if (guest?.incarnation !== incarnation || guest.phase.name !== 'running') return;
    const transfer: Transfer = { move, destination, orderedAt: this.#clock.now(), image: null, offset: 0n };
    guest.phase = { name: 'freezing', transfer };
    this.#host.freeze(pid, move);
  }

  goOn(from: NodeId, message: Named<MigrationMessage, 'go_on'>): void {
    const guest = this.#guests.of(from, message.pid);
    if (!guest || !('transfer' in guest.phase) || guest.phase.transfer.move > message.move) return;
    guest.incarnation = message.incarnation;
    guest.phase = { name: 'running' };
    this.#guests.setStop(guest, message.stopped);
    this.#host.resume(guest.pid, guest.incarnation);
  }

  // Events of the host.

  frozen(pid: Pid, move: MoveId, image: ImageSource, usage: Usage, stoppedMs: () => number): void {
    const guest = this.#guests.get(pid);
    if (guest?.phase.name !== 'freezing' || guest.phase.transfer.move !== move) return;
    const { transfer } = guest.phase;
    guest.phase = { name: 'frozen', transfer };
    transfer.image = image;
    // Asked behind the clock: what passes in between counts as standing still, rather than not at all.
    const sinceOrder = this.#clock.now() - transfer.orderedAt;
    const waitedMs = Math.max(0, sinceOrder - stoppedMs());
    const bytes = BigInt(image.bytes);
    this.#network.send(transfer.destination, { frame: 'image_start', pid, move, bytes, waitedMs, usage });
    this.#pump(pid, transfer);
  }

  cannot(pid: Pid, move: MoveId, reasons: readonly string[]): void {
    const guest = this.#guests.get(pid);
    if (guest?.phase.name !== 'freezing' || guest.phase.transfer.move !== move) return;
    guest.phase = { name: 'running' };
    this.#network.send(guest.home, { frame: 'cannot', pid, move, reasons });
  }

  /** It has left its code, but no image comes: home decides what becomes of it, as when a transfer breaks off. */
  failed(pid: Pid, move: MoveId, reason: string): void {
    const guest = this.#guests.get(pid);
    if (!guest || !('transfer' in guest.phase) || guest.phase.transfer.move !== move) return;
    guest.phase.transfer.image = null;
    this.#network.send(guest.home, { frame: 'failed', pid, move, reason });
  }

  // Events of the links.

  /** There is room for bulk messages to this node again. */
  room(node: NodeId): void {
    for (const { pid, transfer } of this.#sendingTo(node)) this.#pump(pid, transfer);
  }

  /** Parts of the images that are on their way there may be lost; home decides what becomes of it. */
  destinationLost(node: NodeId): void {
    for (const { pid, home, transfer } of this.#sendingTo(node)) {
      transfer.image = null;
      this.#log.info('transfer broke off', { pid, destination: node });
      const reason = `the source lost its connection to node ${node}`;
      this.#network.send(home, { frame: 'failed', pid, move: transfer.move, reason });
    }
  }

  #sendingTo(node: NodeId): { pid: Pid; home: NodeId; transfer: Transfer }[] {
    const sending: { pid: Pid; home: NodeId; transfer: Transfer }[] = [];
    for (const { pid, home, phase } of this.#guests.values()) {
      if (!('transfer' in phase)) continue;
      const { transfer } = phase;
      if (transfer.destination === node && transfer.image) sending.push({ pid, home, transfer });
    }
    return sending;
  }

  #pump(pid: Pid, transfer: Transfer): void {
    const { move, destination, image } = transfer;
    const send = (message: Message): void => this.#network.send(destination, message);
    if (!image) return;
    while (this.#network.hasRoom(destination)) {
      const payload = image.next(LIMITS.imageChunkBytes);
      if (payload === null) {
        transfer.image = null;
        send({ frame: 'image_end', pid, move, digest: image.digest() });
        return;
      }
      send({ frame: 'image_chunk', pid, move, offset: transfer.offset, payload });
      transfer.offset += BigInt(payload.length);
    }
  }
}
