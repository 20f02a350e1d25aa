/**
 * The destination's part of a move: reserve, receive, check, and start at home's word. Until `commit` everything here
 * may be given up at any moment; with `commit` the entry becomes a guest like any other (migration/guests.ts).
 *
 * A reservation ends by itself when the source sends nothing for `stallMs`, and with its home. One whose image is
 * complete waits as long as its home lives: it may be the only copy that is left.
 */
import type { Clock, Log, Timer } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { creatorOf, type Incarnation, type MoveId, type NodeId, type Pid } from '../base/ids.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { Guests } from './guests.ts';
import type { DestinationHost, Message, Usage } from './hosts.ts';
import { TIMES } from './timing.ts';

interface Incoming {
  readonly pid: Pid;
  readonly home: NodeId;
  readonly source: NodeId;
  readonly move: MoveId;
  /** The one in which it is still at the source. */
  readonly incarnation: Incarnation;
  /** `sealing`: all bytes are here and are being checked. */
  phase: 'reserving' | 'reserved' | 'receiving' | 'sealing' | 'ready';
  bytes: bigint;
  received: bigint;
  /** What the source has told for home, with the start of the image. */
  told: { readonly waitedMs: number; readonly usage: Usage } | null;
  /** When something last came from the source. */
  heardAt: number;
  /** When home was told last that it is ready. */
  readyAt: number;
  stall: Timer | null;
}

type Holding = Named<ProcessMessage, 'holdings'>['entries'][number];

export class Destination {
  readonly #guests: Guests;
  readonly #host: DestinationHost;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #incoming = new Map<Pid, Incoming>();

  constructor(
    guests: Guests,
    host: DestinationHost,
    send: (to: NodeId, message: Message) => void,
    clock: Clock,
    log: Log,
  ) {
    this.#guests = guests;
    this.#host = host;
    this.#send = send;
    this.#clock = clock;
    this.#log = log;
  }

  /** How many reservations there are, for statistics and tests. */
  get size(): number {
    return this.#incoming.size;
  }

  // Frames from home.

  prepare(from: NodeId, message: Named<MigrationMessage, 'prepare'>): void {
    const { pid, move, incarnation, source, spec } = message;
    // What is dropped below is the sender's own only if the process is.
    if (creatorOf(pid) !== from) throw new GodwitError('protocol', `node ${from} prepares process ${pid}, not its own`);
    // Home would not bring it here if what is here were current: left-overs of which home's word was lost.
    const guest = this.#guests.get(pid);
    if (guest) this.#guests.drop(guest);
    const older = this.#incoming.get(pid);
    if (older) this.#drop(older);
    const entry: Incoming = {
      pid,
      home: from,
      source,
      move,
      incarnation,
      phase: 'reserving',
      bytes: 0n,
      received: 0n,
      told: null,
      heardAt: 0,
      readyAt: 0,
      stall: null,
    };
    this.#incoming.set(pid, entry);
    this.#host.reserve(pid, move, spec, from);
  }

  commit(from: NodeId, message: Named<MigrationMessage, 'commit'>): void {
    const { pid, move, incarnation, stopped, frozenMs } = message;
    const entry = this.#incoming.get(pid);
    if (entry?.home === from && entry.move === move && entry.phase === 'ready') {
      const guest = this.#guests.add(pid, from, incarnation, stopped, { name: 'starting' });
      this.#forget(entry);
      // Home counted until it heard of `ready`, which was sent before.
      const sinceReady = this.#clock.now() - entry.readyAt;
      this.#host.start(pid, incarnation, from, guest.paused, frozenMs + sinceReady);
    } else if (this.#guests.of(from, pid)?.incarnation !== incarnation) {
      // An entry of the guest table means that home's word came twice; otherwise the reservation is gone.
      this.#send(from, { frame: 'start_failed', pid, incarnation, reason: 'the reservation is gone' });
    }
  }

  giveUp(from: NodeId, message: Named<MigrationMessage, 'give_up'>): void {
    const entry = this.#incoming.get(message.pid);
    if (entry?.home === from && entry.move <= message.move) this.#drop(entry);
  }

  // Frames from the source.

  imageStart(from: NodeId, message: Named<MigrationMessage, 'image_start'>): void {
    const entry = this.#from(from, message, 'reserved');
    if (!entry) return;
    const reason = this.#host.open(entry.pid, Number(message.bytes));
    if (reason !== null) {
      this.#fail(entry, reason);
      return;
    }
    entry.phase = 'receiving';
    entry.bytes = message.bytes;
    entry.told = { waitedMs: message.waitedMs, usage: message.usage };
  }

  imageChunk(from: NodeId, message: Named<MigrationMessage, 'image_chunk'>): void {
    const entry = this.#from(from, message, 'receiving');
    if (!entry) return;
    const end = entry.received + BigInt(message.payload.length);
    if (message.offset !== entry.received || end > entry.bytes) {
      this.#fail(entry, `image bytes at ${message.offset} where ${entry.received} of ${entry.bytes} were expected`);
      return;
    }
    entry.received = end;
    this.#host.write(entry.pid, message.payload);
  }

  imageEnd(from: NodeId, message: Named<MigrationMessage, 'image_end'>): void {
    const entry = this.#from(from, message, 'receiving');
    if (!entry) return;
    if (entry.received !== entry.bytes) {
      this.#fail(entry, `the image ends after ${entry.received} of ${entry.bytes} bytes`);
      return;
    }
    entry.phase = 'sealing';
    entry.stall?.cancel();
    this.#host.seal(entry.pid, entry.move, message.digest);
  }

  // Events of the host.

  reserved(pid: Pid, move: MoveId): void {
    const entry = this.#at(pid, move, 'reserving');
    if (!entry) return;
    entry.phase = 'reserved';
    entry.heardAt = this.#clock.now();
    this.#watch(entry);
    // Home waits for the report. What it answers is dealt with when this is done (Roles).
    this.#report(entry);
    this.#guests.leases.acquire(entry.home);
  }

  refused(pid: Pid, move: MoveId, reason: string): void {
    const entry = this.#at(pid, move, 'reserving');
    if (!entry) return;
    this.#forget(entry);
    this.#send(entry.home, { frame: 'refused', pid, move, reason });
  }

  sealed(pid: Pid, move: MoveId): void {
    const entry = this.#at(pid, move, 'sealing');
    if (!entry) return;
    entry.phase = 'ready';
    this.#report(entry);
  }

  unsealed(pid: Pid, move: MoveId, reason: string): void {
    const entry = this.#at(pid, move, 'sealing');
    if (entry) this.#fail(entry, reason);
  }

  // What happens to the other nodes.

  /** What is held here of `home`, for the comparison after a lost session. */
  holdings(home: NodeId): Holding[] {
    const entries: Holding[] = [];
    for (const { home: owner, pid, incarnation, move, phase } of this.#incoming.values()) {
      // What is being checked will still be told.
      const state = phase === 'sealing' ? 'receiving' : phase;
      if (owner === home) entries.push({ pid, incarnation, move, state });
    }
    return entries;
  }

  /** After `holdings`: what home may not have heard. */
  report(home: NodeId): void {
    for (const entry of this.#incoming.values()) if (entry.home === home) this.#report(entry);
  }

  homeLost(home: NodeId): void {
    for (const entry of this.#incoming.values()) if (entry.home === home) this.#drop(entry);
  }

  /** Parts of an image that was under way from there may be lost. */
  sourceLost(node: NodeId): void {
    for (const entry of this.#incoming.values()) {
      const underWay = entry.phase === 'reserved' || entry.phase === 'receiving';
      if (entry.source === node && underWay) this.#fail(entry, `the destination lost its connection to node ${node}`);
    }
  }

  #at(pid: Pid, move: MoveId, phase: Incoming['phase']): Incoming | null {
    const entry = this.#incoming.get(pid);
    return entry?.move === move && entry.phase === phase ? entry : null;
  }

  #from(from: NodeId, { pid, move }: { pid: Pid; move: MoveId }, phase: Incoming['phase']): Incoming | null {
    const entry = this.#at(pid, move, phase);
    if (entry?.source !== from) return null;
    entry.heardAt = this.#clock.now();
    return entry;
  }

  #report(entry: Incoming): void {
    const { pid, home, move, phase, bytes, told } = entry;
    if (phase === 'reserved') this.#send(home, { frame: 'reserved', pid, move });
    if (phase !== 'ready' || told === null) return;
    entry.readyAt = this.#clock.now();
    this.#send(home, { frame: 'ready', pid, move, bytes, ...told });
  }

  #watch(entry: Incoming): void {
    const left = entry.heardAt + TIMES.stallMs - this.#clock.now();
    if (left <= 0) this.#fail(entry, `node ${entry.source} sent nothing for ${TIMES.stallMs / 1000} s`);
    else entry.stall = this.#clock.after(left, () => this.#watch(entry));
  }

  #fail(entry: Incoming, reason: string): void {
    this.#log.info('reservation given up', { pid: entry.pid, reason });
    this.#drop(entry);
    this.#send(entry.home, { frame: 'failed', pid: entry.pid, move: entry.move, reason });
  }

  #drop(entry: Incoming): void {
    this.#forget(entry);
    this.#host.giveUp(entry.pid);
  }

  #forget(entry: Incoming): void {
    entry.stall?.cancel();
    this.#incoming.delete(entry.pid);
    if (entry.phase !== 'reserving') this.#guests.leases.release(entry.home);
  }
}
