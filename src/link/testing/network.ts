/**
 * A network in memory under virtual time, for tests of everything that talks between nodes. Bytes of one connection
 * arrive in order and cut into arbitrary slices; the network delays them, breaks connections at any byte, lets them
 * go half-open (nothing arrives and no one is told), refuses to connect, and stops or parts nodes.
 */
import type { Clock } from '../../base/env.ts';
import type { NodeId } from '../../base/ids.ts';
import type { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import type { Dialer, Dialing, Transport, TransportEvents } from '../transport.ts';

export interface Weather {
  /** The longest time in milliseconds that a slice is under way; each takes a random part of it. */
  readonly delayMs: number;
  /** One slice in so many breaks its connection in the middle; 0: none. */
  readonly breakOneIn: number;
  /** One slice in so many is the last that arrives, and no one is told; 0: none. */
  readonly halfOpenOneIn: number;
  /** One attempt to connect in so many fails; 0: none. */
  readonly refuseOneIn: number;
}

export const CALM: Weather = { delayMs: 1, breakOneIn: 0, halfOpenOneIn: 0, refuseOneIn: 0 };
export const STORM: Weather = { delayMs: 40, breakOneIn: 60, halfOpenOneIn: 200, refuseOneIn: 4 };

/** What waits in a transport before `send` says that it is enough. */
const HIGH_WATER_BYTES = 256 * 1024;

type Accept = (transport: Transport) => void;

/** What a node needs of its machine. Everything stops at `kill`. */
export interface Host {
  readonly clock: Clock;
  readonly dialer: Dialer;
  /** Lets the node be reached under an address. */
  listen(address: string, accept: Accept): void;
  /** The node is gone: its peers are told, as of a killed process, or not, as of a machine without power. */
  kill(silently: boolean): void;
}

export class VirtualNetwork {
  weather: Weather;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly #listeners = new Map<string, { readonly node: NodeId; readonly accept: Accept }>();
  readonly #wires = new Set<Wire>();
  readonly #parted = new Set<string>();

  constructor(clock: VirtualClock, random: SeededRandom, weather: Weather = CALM) {
    this.clock = clock;
    this.random = random;
    this.weather = weather;
  }

  /** How many connections both ends of which are open. */
  get connections(): number {
    return [...this.#wires].filter((wire) => wire.isOpen).length;
  }

  /** A node of this network, from its start to its death. */
  host(node: NodeId): Host {
    let alive = true;
    const { clock } = this;
    return {
      clock: {
        now: () => clock.now(),
        wallNanos: () => clock.wallNanos(),
        after: (delay, fire) => clock.after(delay, () => alive && fire()),
      },
      dialer: {
        dial: (peer, address, done) => this.#dial(node, peer, address, (result) => alive && done(result)),
      },
      listen: (address, accept) => {
        this.#listeners.set(address, { node, accept: (transport) => alive && accept(transport) });
      },
      kill: (silently) => {
        alive = false;
        for (const [address, listener] of this.#listeners) if (listener.node === node) this.#listeners.delete(address);
        for (const wire of this.#wires) if (wire.joins(node)) wire.break(silently);
      },
    };
  }

  /** Breaks all connections between two nodes now. */
  cut(a: NodeId, b: NodeId, silently = false): void {
    for (const wire of this.#wires) if (wire.joins(a) && wire.joins(b)) wire.break(silently);
  }

  /** Nothing passes between two nodes from now on, silently, until {@link heal}. */
  part(a: NodeId, b: NodeId): void {
    this.#parted.add(pair(a, b));
    this.cut(a, b, true);
  }

  heal(a: NodeId, b: NodeId): void {
    this.#parted.delete(pair(a, b));
  }

  /** A connection between two nodes without dialing, for tests that speak the protocol by hand. */
  connect(from: NodeId, to: NodeId): readonly [Transport, Transport] {
    const wire = new Wire(this, from, to, () => this.#wires.delete(wire));
    this.#wires.add(wire);
    return wire.ends;
  }

  #dial(from: NodeId, to: NodeId, address: string, done: Parameters<Dialer['dial']>[2]): Dialing {
    let cancelled = false;
    const { random, weather } = this;
    this.clock.after(random.below(weather.delayMs * 2) + 1, () => {
      if (cancelled) return;
      const listener = this.#listeners.get(address);
      const refused = weather.refuseOneIn > 0 && random.oneIn(weather.refuseOneIn);
      // A parted network answers nothing, so the time that an attempt takes is what it takes to give up.
      if (this.#parted.has(pair(from, to))) this.clock.after(5000, () => cancelled || done({ failed: 'no answer' }));
      else if (!listener || refused) done({ failed: 'connection refused' });
      else if (listener.node !== to) done({ failed: `that is node ${listener.node}, not node ${to}` });
      else {
        const [near, far] = this.connect(from, to);
        // The two sides learn of the connection at different times.
        this.clock.after(random.below(weather.delayMs) + 1, () => listener.accept(far));
        done(near);
      }
    });
    return { cancel: () => (cancelled = true) };
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/** One connection: two ends, and bytes under way in each direction. */
class Wire {
  readonly ends: readonly [End, End];
  readonly #nodes: readonly NodeId[];
  readonly #gone: () => void;

  constructor(network: VirtualNetwork, from: NodeId, to: NodeId, gone: () => void) {
    const near = new End(network, to, () => this.break(false));
    const far = new End(network, from, () => this.break(false));
    near.other = far;
    far.other = near;
    this.ends = [near, far];
    this.#nodes = [from, to];
    this.#gone = gone;
  }

  get isOpen(): boolean {
    return this.ends.every((end) => end.isOpen);
  }

  joins(node: NodeId): boolean {
    return this.#nodes.includes(node);
  }

  break(silently: boolean): void {
    this.#gone();
    for (const end of this.ends) end.break(silently);
  }
}

class End implements Transport {
  readonly peer: NodeId;
  other: End | null = null;
  readonly #network: VirtualNetwork;
  readonly #breakWire: () => void;
  #events: TransportEvents | null = null;
  #aborted = false;
  /** What has arrived before `start`. */
  #early: ((events: TransportEvents) => void)[] = [];
  #state: 'open' | 'half-open' | 'closed' = 'open';
  /** When the last slice under way towards this end arrives: the next must not overtake it. */
  #lastArrival = 0;
  #waitingBytes = 0;

  constructor(network: VirtualNetwork, peer: NodeId, breakWire: () => void) {
    this.#network = network;
    this.peer = peer;
    this.#breakWire = breakWire;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  start(events: TransportEvents): void {
    this.#events = events;
    for (const happen of this.#early) this.#network.clock.after(0, () => this.#aborted || happen(events));
    this.#early = [];
  }

  send(parts: readonly Uint8Array[]): boolean {
    if (this.#state === 'closed') return true;
    for (const part of parts) this.#sendSlices(part);
    return this.#waitingBytes < HIGH_WATER_BYTES;
  }

  end(): void {
    this.#aborted = true;
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.other?.arrive(() => this.other?.break(false));
  }

  abort(): void {
    this.#aborted = true;
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    // What was under way is lost, as after a reset of a TCP connection.
    this.#network.clock.after(0, () => this.other?.break(false));
  }

  /** The connection is gone; `silently`: as far as this end knows it is still there. */
  break(silently: boolean): void {
    if (this.#state === 'closed') return;
    if (silently) {
      this.#state = 'half-open';
      return;
    }
    this.#state = 'closed';
    this.#happen((events) => events.closed('connection reset'));
  }

  /** Calls `deliver` when the next slice arrives here, behind all that are under way. */
  arrive(deliver: () => void): void {
    const { clock, random, weather } = this.#network;
    this.#lastArrival = Math.max(this.#lastArrival, clock.now() + random.below(weather.delayMs) + 1);
    clock.after(this.#lastArrival - clock.now(), deliver);
  }

  #happen(event: (events: TransportEvents) => void): void {
    if (this.#events) event(this.#events);
    else this.#early.push(event);
  }

  #sendSlices(part: Uint8Array): void {
    const { random } = this.#network;
    for (let at = 0; at < part.length;) {
      const size = random.oneIn(3) ? 1 + random.below(16) : 1 + random.below(64 * 1024);
      // Copied when it is sent, as a real connection would: the sender stamps replayed frames anew.
      const slice = part.slice(at, at + size);
      at += slice.length;
      this.#waitingBytes += slice.length;
      this.other?.arrive(() => this.#deliver(slice));
    }
  }

  #deliver(slice: Uint8Array): void {
    const { random, weather } = this.#network;
    const full = this.#waitingBytes >= HIGH_WATER_BYTES;
    this.#waitingBytes -= slice.length;
    if (this.#state === 'half-open' || !this.other) return;
    if (weather.breakOneIn > 0 && random.oneIn(weather.breakOneIn)) {
      this.other.#receive(slice.subarray(0, random.below(slice.length)));
      this.#breakWire();
      return;
    }
    if (weather.halfOpenOneIn > 0 && random.oneIn(weather.halfOpenOneIn)) {
      this.#state = 'half-open';
      if (random.oneIn(2)) this.other.break(true);
      return;
    }
    this.other.#receive(slice);
    if (full && this.#waitingBytes < HIGH_WATER_BYTES && this.#state === 'open') this.#happen((to) => to.drained());
  }

  #receive(slice: Uint8Array): void {
    if (this.#state !== 'open' || slice.length === 0) return;
    this.#happen((events) => {
      events.bytes(slice);
      // A real connection receives what comes next into the same memory.
      slice.fill(0xee);
    });
  }
}
