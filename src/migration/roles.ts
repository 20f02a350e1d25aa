/**
 * All roles of one node in one place: frames and events go in here, and are dealt with one after the other. A node
 * that is both home and source (or destination) of a move talks to itself by the same frames, without a link.
 */
import type { Clock, Log, Random } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../base/ids.ts';
import type { Named } from '../link/frames/process.ts';
import { Destination } from './destination.ts';
import type { GuestEnd } from './guests.ts';
import { Guests } from './guests.ts';
import { Home } from './home.ts';
import type {
  DestinationHost,
  GuestHost,
  HomeHost,
  ImageSource,
  Message,
  Network,
  PeerEvent,
  SourceHost,
  Usage,
} from './hosts.ts';
import type { Answer } from './move.ts';
import { Requests } from './requests.ts';
import { Source } from './source.ts';

/** Frames that others deal with: home calls (kernel/deputy.ts, kernel/homecall.ts) and modules (migration/modules.ts). */
export type ForOthers = 'call' | 'reply' | 'module_ask' | 'module_chunk';
export type RoleMessage = Exclude<Message, { readonly frame: ForOthers }>;

export interface Hosts {
  readonly network: Network;
  readonly guest: GuestHost;
  readonly source: SourceHost;
  readonly destination: DestinationHost;
  readonly home: HomeHost;
}

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

type Handlers = { readonly [K in RoleMessage['frame']]: (from: NodeId, message: Named<RoleMessage, K>) => void };

export class Roles {
  readonly home: Home;
  readonly guests: Guests;
  readonly #source: Source;
  readonly #destination: Destination;
  readonly #requests: Requests;
  readonly #self: NodeId;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #handlers: Handlers;
  readonly #inputs: (() => void)[] = [];
  #busy = false;

  constructor({ network, guest, source, destination, home }: Hosts, env: Env) {
    const send = (to: NodeId, message: Message): void => {
      if (to === network.self) this.receive(to, message as RoleMessage);
      else network.send(to, message);
    };
    // A timer that fires is an input like any other.
    const clock: Clock = {
      now: () => env.clock.now(),
      wallNanos: () => env.clock.wallNanos(),
      after: (delay, fire) => env.clock.after(delay, () => this.#input(fire)),
    };
    const bulk = { send, hasRoom: (to: NodeId) => network.hasRoom(to) };
    this.#self = network.self;
    this.#send = send;
    this.home = new Home(network.self, home, send, { ...env, clock });
    this.guests = new Guests(network.self, guest, send, clock, env.log);
    this.#source = new Source(this.guests, source, bulk, clock, env.log);
    this.#destination = new Destination(this.guests, destination, send, clock, env.log);
    this.#requests = new Requests(this.home, send, env.random, (node) => home.silence(node));
    this.#handlers = this.#routes();
  }

  /** Reservations held here, for statistics. */
  get reservations(): number {
    return this.#destination.size;
  }

  // Commands of the daemon. They take effect at once, or behind what is just being dealt with.

  /** A new process, whose guest the caller starts on this node. */
  create(pid: Pid): Incarnation {
    const incarnation = this.home.create(pid);
    this.guests.add(pid, this.#self, incarnation, false, { name: 'running' });
    return incarnation;
  }

  /** Moves a process of any home. @param answer called once */
  migrate(pid: Pid, home: NodeId, target: NodeId, answer: Answer): void {
    this.#input(() => {
      if (home === this.#self) this.home.migrate(pid, target, answer);
      else this.#requests.ask(home, pid, target, answer);
    });
  }

  /** Ends a process of this home, wherever it is. @param signal for the exit status */
  kill(pid: Pid, signal: number): void {
    this.#input(() => this.home.kill(pid, signal));
  }

  /** Stops a process of this home, or lets it go on. */
  setStopped(pid: Pid, stopped: boolean): void {
    this.#input(() => this.home.setStopped(pid, stopped));
  }

  /** Tells home what a guest here has used so far. */
  reportUsage(pid: Pid, usage: Usage): void {
    const guest = this.guests.get(pid);
    if (guest) this.#send(guest.home, { frame: 'usage', pid, incarnation: guest.incarnation, usage });
  }

  // What comes in from other nodes.

  receive(from: NodeId, message: RoleMessage): void {
    this.#input(() => this.#dispatch(from, message));
  }

  /** There is room for bulk messages to this node again. */
  room(node: NodeId): void {
    this.#input(() => this.#source.room(node));
  }

  peer(node: NodeId, event: PeerEvent): void {
    this.#input(() => {
      this.home.peer(node, event);
      this.#requests.peer(node, event);
      if (event === 'restarted' || event === 'down') {
        this.guests.orphaned(node, event);
        this.#destination.homeLost(node);
      }
      if (event === 'reset') this.#tellHoldings(node);
      if (event === 'reset' || event === 'restarted' || event === 'down') {
        this.#source.destinationLost(node);
        this.#destination.sourceLost(node);
      }
      if (event === 'reachable') this.guests.leases.ask(node);
    });
  }

  // What comes in from the host: see hosts.ts.

  /**
   * @param usage all that it has used here; goes with the image, so that home has it before the process is elsewhere
   * @param stoppedMs tells how long ago its first thread left its code, at the moment at which it is asked
   */
  frozen(pid: Pid, move: MoveId, image: ImageSource, usage: Usage, stoppedMs: () => number): void {
    this.#input(() => this.#source.frozen(pid, move, image, usage, stoppedMs));
  }

  cannot(pid: Pid, move: MoveId, reasons: readonly string[]): void {
    this.#input(() => this.#source.cannot(pid, move, reasons));
  }

  failed(pid: Pid, move: MoveId, reason: string): void {
    this.#input(() => this.#source.failed(pid, move, reason));
  }

  reserved(pid: Pid, move: MoveId): void {
    this.#input(() => this.#destination.reserved(pid, move));
  }

  refused(pid: Pid, move: MoveId, reason: string): void {
    this.#input(() => this.#destination.refused(pid, move, reason));
  }

  sealed(pid: Pid, move: MoveId): void {
    this.#input(() => this.#destination.sealed(pid, move));
  }

  unsealed(pid: Pid, move: MoveId, reason: string): void {
    this.#input(() => this.#destination.unsealed(pid, move, reason));
  }

  started(pid: Pid): void {
    this.#input(() => this.guests.started(pid));
  }

  startFailed(pid: Pid, reason: string): void {
    this.#input(() => this.guests.startFailed(pid, reason));
  }

  ended(pid: Pid, end: GuestEnd): void {
    this.#input(() => this.guests.ended(pid, end));
  }

  /** First of all in a new session, so that everything behind it fits to it. */
  #tellHoldings(home: NodeId): void {
    const entries = [...this.guests.holdings(home), ...this.#destination.holdings(home)];
    this.#send(home, { frame: 'holdings', entries });
    this.guests.reportEnds(home);
    this.#destination.report(home);
  }

  /**
   * What has come in behind an input is dealt with even if that one was refused: it has nothing to do with it.
   * @throws GodwitError `protocol` if the peer is broken
   */
  #input(input: () => void): void {
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    let refused: GodwitError | null = null;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) {
        try {
          next();
        } catch (error) {
          // Anything else is a bug of ours: nothing that is still to be done can be trusted to be right.
          if (!(error instanceof GodwitError)) throw error;
          refused ??= error;
        }
      }
    } finally {
      this.#busy = false;
    }
    if (refused) throw refused;
  }

  #dispatch<K extends RoleMessage['frame']>(from: NodeId, message: Named<RoleMessage, K>): void {
    // The table has for each type the handler of just that type.
    const handle = this.#handlers[message.frame] as (from: NodeId, message: Named<RoleMessage, K>) => void;
    handle(from, message);
  }

  #routes(): Handlers {
    const home = this.home;
    const guests = this.guests;
    const source = this.#source;
    const destination = this.#destination;
    const requests = this.#requests;
    return {
      ended: (from, message) => home.ended(from, message),
      usage: (from, message) => home.usage(from, message),
      free: (from, message) => guests.free(from, message),
      set_stopped: (from, message) => guests.setStopped(from, message),
      lease_ask: (from, message) => home.leaseAsk(from, message),
      lease: (from, message) => guests.leases.granted(from, message),
      holdings: (from, message) => home.holdings(from, message),
      request: (from, message) => requests.request(from, message),
      answer: (from, message) => requests.answer(from, message),
      prepare: (from, message) => destination.prepare(from, message),
      reserved: (from, message) => home.reserved(from, message),
      refused: (from, message) => home.refused(from, message),
      freeze: (from, message) => source.freeze(from, message),
      cannot: (from, message) => home.cannot(from, message),
      image_start: (from, message) => destination.imageStart(from, message),
      image_chunk: (from, message) => destination.imageChunk(from, message),
      image_end: (from, message) => destination.imageEnd(from, message),
      ready: (from, message) => home.ready(from, message),
      failed: (from, message) => home.failed(from, message),
      commit: (from, message) => destination.commit(from, message),
      running: (from, message) => home.running(from, message),
      start_failed: (from, message) => home.startFailed(from, message),
      go_on: (from, message) => source.goOn(from, message),
      give_up: (from, message) => destination.giveUp(from, message),
    };
  }
}
