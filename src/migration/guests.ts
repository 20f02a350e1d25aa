/**
 * The guests that this node holds, whatever their home: running, frozen for a move, or ended and not yet known to be
 * so at home. One entry a process. Source and Destination change entries through this table; who may run is decided
 * here: a guest executes only while its home's lease is valid and the process is not stopped.
 */
import type { Clock, Log } from '../base/env.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { GuestHost, ImageSource, Message, Usage } from './hosts.ts';
import { LeaseKeeper } from './lease.ts';

/** The end of a guest as its own node sees it. */
export interface GuestEnd {
  readonly cause: 'exit' | 'trap' | 'engine';
  readonly status: number;
  readonly report: string | null;
  readonly usage: Usage;
}

/** A guest that is being frozen, or is frozen, for a move. */
export interface Transfer {
  readonly move: MoveId;
  readonly destination: NodeId;
  /** When the order came, on this node's clock. */
  readonly orderedAt: number;
  /** Null before the guest is frozen, after the last chunk, and after the transfer broke off. */
  image: ImageSource | null;
  offset: bigint;
}

type Phase =
  /** Committed here, not yet reported to have started. */
  | { readonly name: 'starting' }
  | { readonly name: 'running' }
  | { readonly name: 'freezing' | 'frozen'; readonly transfer: Transfer }
  /** The worker is gone; kept until home has heard of it. */
  | { readonly name: 'ended'; readonly end: GuestEnd };

export interface Guest {
  readonly pid: Pid;
  readonly home: NodeId;
  incarnation: Incarnation;
  /** By SIGSTOP; home says so. */
  stopped: boolean;
  /** What the host was told last. */
  paused: boolean;
  phase: Phase;
}

type Holding = Named<ProcessMessage, 'holdings'>['entries'][number];

export class Guests {
  readonly leases: LeaseKeeper;
  readonly #host: GuestHost;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #log: Log;
  readonly #guests = new Map<Pid, Guest>();

  constructor(self: NodeId, host: GuestHost, send: (to: NodeId, message: Message) => void, clock: Clock, log: Log) {
    this.#host = host;
    this.#send = send;
    this.#log = log;
    this.leases = new LeaseKeeper(self, clock, send, (home) => {
      for (const guest of this.#guests.values()) if (guest.home === home) this.#applyPause(guest);
    });
  }

  get(pid: Pid): Guest | undefined {
    return this.#guests.get(pid);
  }

  /** The guest that a frame of home `from` is about; undefined if there is none, or its home is another node. */
  of(from: NodeId, pid: Pid): Guest | undefined {
    const guest = this.#guests.get(pid);
    return guest?.home === from ? guest : undefined;
  }

  values(): Iterable<Guest> {
    return this.#guests.values();
  }

  /** A new entry. Its `paused` says whether the host may let it run at once. */
  add(pid: Pid, home: NodeId, incarnation: Incarnation, stopped: boolean, phase: Phase): Guest {
    this.leases.acquire(home);
    const paused = stopped || !this.leases.valid(home);
    const guest: Guest = { pid, home, incarnation, stopped, paused, phase };
    this.#guests.set(pid, guest);
    return guest;
  }

  /** Forgets the guest, ends its worker or drops its frozen copy. */
  drop(guest: Guest): void {
    this.#guests.delete(guest.pid);
    this.leases.release(guest.home);
    if (guest.phase.name !== 'ended') this.#host.discard(guest.pid);
  }

  // Events of the host.

  /** The guest executes, or is at the point of doing so: home hears of it before anything that the guest asks of it. */
  started(pid: Pid): void {
    const guest = this.#guests.get(pid);
    if (guest?.phase.name !== 'starting') return;
    guest.phase = { name: 'running' };
    this.#send(guest.home, { frame: 'running', pid, incarnation: guest.incarnation });
  }

  startFailed(pid: Pid, reason: string): void {
    const guest = this.#guests.get(pid);
    if (guest?.phase.name !== 'starting') return;
    this.drop(guest);
    this.#send(guest.home, { frame: 'start_failed', pid, incarnation: guest.incarnation, reason });
  }

  ended(pid: Pid, end: GuestEnd): void {
    this.started(pid);
    const guest = this.#guests.get(pid);
    if (!guest || guest.phase.name === 'ended') return;
    guest.phase = { name: 'ended', end };
    this.#reportEnd(guest, end);
  }

  // Frames from home.

  free(from: NodeId, message: Named<ProcessMessage, 'free'>): void {
    const guest = this.of(from, message.pid);
    if (guest && guest.incarnation <= message.incarnation) this.drop(guest);
  }

  setStopped(from: NodeId, message: Named<ProcessMessage, 'set_stopped'>): void {
    const guest = this.of(from, message.pid);
    if (guest?.incarnation === message.incarnation) this.setStop(guest, message.stopped);
  }

  setStop(guest: Guest, stopped: boolean): void {
    guest.stopped = stopped;
    this.#applyPause(guest);
  }

  // What happens to the home.

  /** What this node holds of `home`, for the comparison after a lost session. */
  holdings(home: NodeId): Holding[] {
    const entries: Holding[] = [];
    for (const { home: owner, pid, incarnation, phase } of this.#guests.values()) {
      const move = 'transfer' in phase ? phase.transfer.move : null;
      if (owner === home) entries.push({ pid, incarnation, move, state: phase.name });
    }
    return entries;
  }

  /** After `holdings`: what only this node knows must be told again. */
  reportEnds(home: NodeId): void {
    for (const guest of this.#guests.values()) {
      if (guest.home === home && guest.phase.name === 'ended') this.#reportEnd(guest, guest.phase.end);
    }
  }

  /** The home is given up or was restarted: its guests here are orphans. */
  orphaned(home: NodeId, reason: 'down' | 'restarted'): void {
    for (const guest of this.#guests.values()) {
      if (guest.home !== home) continue;
      this.#log.warn('process ended, for its home was given up', { pid: guest.pid, home, reason });
      this.drop(guest);
    }
  }

  #reportEnd({ home, pid, incarnation }: Guest, end: GuestEnd): void {
    this.#send(home, { frame: 'ended', pid, incarnation, ...end });
  }

  #applyPause(guest: Guest): void {
    const paused = guest.stopped || !this.leases.valid(guest.home);
    if (guest.paused === paused || guest.phase.name === 'ended') return;
    guest.paused = paused;
    if (paused) this.#host.pause(guest.pid);
    else this.#host.go(guest.pid);
  }
}
