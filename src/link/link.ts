/**
 * The link to one peer: a session, and at any time at most one connection that carries it. It dials again when a
 * connection breaks, replays what has not been acknowledged, and tells the layers above only what they must know.
 *
 * Promise to the layers above: within a session every frame arrives once and in order. When a session is lost (a
 * peer has restarted, or a queue ran over), `onReset` is called on both sides and everything under way is lost.
 *
 * Both sides may dial, so two connections can meet (glare). The rule, the same on both sides: the connection that the
 * node with the lower id has dialed wins over one that is being greeted at the same time; an open connection that
 * this side has dialed wins over a greeting that was sent before it opened (its `generation` is older); otherwise the
 * newest wins. A connection that loses is closed without loss, because the session is replayed on the other one.
 */
import type { Timer } from '../base/env.ts';
import { unreachable } from '../base/assert.ts';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { ConnectionOwner } from './connection.ts';
import { Connection } from './connection.ts';
import type { EncodedFrame, Frame, FrameHeader, FrameOf, PeerFrame, SessionFrame } from './frames.ts';
import { encodeFrame, HEADER_BYTES, isSessionFrame } from './frames.ts';
import type { Agreement, Refusal } from './greeting.ts';
import { checkHello, checkWelcome, helloOf, welcomeOf } from './greeting.ts';
import type { LinkConfig, LinkEvents } from './ports.ts';
import { Redial } from './redial.ts';
import type { References } from './references.ts';
import { Session, newSessionId } from './session.ts';
import { Room } from './room.ts';
import type { Transport } from './transport.ts';

export class Link {
  readonly peer: NodeId;
  /** Where to dial; empty: this side does not. */
  address: string;
  /** What was agreed on at the last greeting; null before the first. */
  agreement: Agreement | null = null;
  /** The last measured time from ping to pong in milliseconds; null before the first. */
  roundTripMs: number | null = null;

  readonly #config: LinkConfig;
  readonly #events: LinkEvents;
  readonly #session: Session;
  readonly #redial: Redial;
  readonly #owner: ConnectionOwner;
  readonly #acknowledgements: Acknowledgements;
  #closed = false;
  /** Counts the open connections of the pair. */
  #generation = 0;
  /** The connection that is open. */
  #current: Connection | null = null;
  /** One that this side has dialed and that waits for `welcome`. */
  #greeting: Connection | null = null;
  /** Those from the peer whose `hello` has not come. */
  readonly #accepted = new Set<Connection>();
  #heardAt: number | null = null;
  #pingedAt: number | null = null;
  readonly #room: Room;

  constructor(peer: NodeId, address: string, config: LinkConfig, events: LinkEvents, references: References) {
    this.#session = new Session(references);
    this.peer = peer;
    this.address = address;
    this.#config = config;
    this.#room = new Room(this.#session, config.clock);
    this.#events = events;
    this.#owner = {
      onFrame: (connection, frame, header) => this.#onFrame(connection, frame, header),
      onWritable: (connection) => {
        if (connection !== this.#current) return;
        this.#pump();
        this.#room.offer();
      },
      onHeartbeat: (connection, now) => {
        this.#pingedAt = now;
        this.#sendOn(connection, { frame: 'ping', time: now });
      },
      onLost: (connection, reason, fault) => this.#onLost(connection, reason, fault),
    };
    this.#acknowledgements = new Acknowledgements(config.clock, () => {
      if (this.#current) this.#sendOn(this.#current, { frame: 'ack' });
    });
    this.#redial = new Redial(peer, config, {
      connected: (transport) => this.#onConnected(transport),
      failed: (reason) => {
        config.log.debug('cannot connect', { peer, address: this.address, reason });
        this.#dialLater();
      },
    });
  }

  /** When the peer was last heard, by the monotonic clock; null: never. */
  get heardAt(): number | null {
    return this.#current?.heardAt ?? this.#heardAt;
  }

  /** Dials now, unless there is a connection or an attempt. */
  dial(): void {
    if (!this.#closed && !this.#current && !this.#greeting) this.#redial.now(this.address);
  }

  /** Takes a connection that the peer has made. */
  accept(transport: Transport): void {
    if (this.#closed || this.#accepted.size >= LIMITS.greetings) transport.abort();
    else this.#accepted.add(new Connection(transport, false, this.#config.clock, this.#owner));
  }

  /**
   * Sends a frame: now, or when there is a connection again.
   * @throws GodwitError('protocol') if a field is over its limit
   */
  send(frame: PeerFrame): void {
    this.#push(encodeFrame(frame));
  }

  /**
   * Sends a frame whose last byte string is large: that is sent by reference and must stay unchanged until the peer
   * has acknowledged it. Ask {@link room} before.
   */
  sendBulk(frame: PeerFrame): void {
    this.#push(encodeFrame(frame, true));
  }

  /** Whether bulk data may be sent. Small frames may always; but what waits is bounded by LIMITS.linkQueueBytes. */
  room(): boolean {
    return this.#room.isThere;
  }

  /** Calls `resume` once, later, when there is {@link room} or the session is lost. */
  whenRoom(resume: () => void): Timer {
    return this.#room.when(resume);
  }

  /** Gives the session up, with everything under way; the peer learns it at the next greeting. */
  reset(reason: string): void {
    this.#breakCurrent(reason);
    this.#loseSession(reason);
    this.#dialLater();
  }

  /** Ends the link for good, without further events. @param reason told to the peer */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#current?.send({ frame: 'goodbye', reason }, this.#session.received);
    this.#current?.end();
    this.#current = null;
    this.#stopDialing();
    for (const connection of this.#accepted) connection.abort();
    this.#accepted.clear();
    this.#acknowledgements.stop();
    this.#session.reset();
    this.#room.giveUp();
  }

  // Getting a connection

  #dialLater(atLeast = 0): void {
    if (!this.#closed && !this.#current && !this.#greeting) this.#redial.later(() => this.address, atLeast);
  }

  #stopDialing(): void {
    this.#redial.stop();
    this.#greeting?.abort();
    this.#greeting = null;
  }

  #onConnected(transport: Transport): void {
    const { clock, random, self } = this.#config;
    const connection = new Connection(transport, true, clock, this.#owner);
    this.#greeting = connection;
    const session = this.#session;
    if (session.id === 0n) session.begin(newSessionId(random), false);
    connection.send(helloOf(self, session, this.#generation), session.received);
  }

  #onHello(connection: Connection, hello: FrameOf<'hello'>): void {
    this.#accepted.delete(connection);
    const { self, random } = this.#config;
    const agreement = checkHello(self, hello, this.peer);
    if ('reason' in agreement) {
      this.#refuse(connection, agreement);
      return;
    }
    if (this.#hasBetterThan(hello)) {
      connection.send({ frame: 'refuse', code: 'glare', reason: 'another connection has won' }, 0);
      connection.end();
      return;
    }
    this.#stopDialing();
    this.#dropCurrent();
    const session = this.#session;
    if (hello.session === session.id) {
      session.established = true;
    } else {
      if (session.established) this.#loseSession('the peer does not know the session any more');
      // A session that only the peer knows is gone, so it gets a new one and learns its loss from that.
      session.begin(hello.fresh ? hello.session : newSessionId(random), true);
    }
    const peerReceived = hello.session === session.id ? hello.received : session.received;
    this.#generation = (Math.max(this.#generation, hello.generation) + 1) >>> 0;
    connection.send(welcomeOf(self, agreement, session, this.#generation), session.received);
    this.#open(connection, agreement, peerReceived);
  }

  /** The rule for glare; see the head of this file. */
  #hasBetterThan(hello: FrameOf<'hello'>): boolean {
    if (this.#greeting && this.#config.self.node < this.peer) return true;
    return (
      this.#current !== null &&
      this.#current.dialed &&
      this.agreement?.boot === hello.boot &&
      hello.generation < this.#generation
    );
  }

  #onWelcome(connection: Connection, welcome: FrameOf<'welcome'>): void {
    this.#greeting = null;
    const agreement = checkWelcome(this.#config.self, welcome);
    if ('reason' in agreement) {
      this.#refuse(connection, agreement);
      return;
    }
    const session = this.#session;
    if (welcome.session === session.id) {
      session.established = true;
    } else {
      if (session.established) this.#loseSession('the peer does not know the session any more');
      session.begin(welcome.session, true);
    }
    this.#generation = welcome.generation;
    this.#open(connection, agreement, welcome.received);
  }

  #open(connection: Connection, agreement: Agreement, peerReceived: number): void {
    this.agreement = agreement;
    this.#current = connection;
    this.#redial.succeeded();
    connection.open();
    this.#session.rewind(peerReceived);
    this.#pump();
    this.#events.onOpen(this.peer, agreement);
    this.#room.offer();
  }

  #refuse(connection: Connection, refusal: Refusal): void {
    connection.send({ frame: 'refuse', ...refusal }, 0);
    connection.end();
    this.#refused(refusal);
  }

  #refused(refusal: Refusal): void {
    this.#dialLater(TIMING.redialRefusedMs);
    this.#events.onRefused(this.peer, refusal);
  }

  // Losing it

  #dropCurrent(): void {
    if (!this.#current) return;
    this.#heardAt = this.#current.heardAt;
    this.#current.abort();
    this.#current = null;
    this.#acknowledgements.stop();
  }

  /** Like {@link #dropCurrent}, with nothing to take its place. */
  #breakCurrent(reason: string): void {
    if (!this.#current) return;
    this.#dropCurrent();
    this.#events.onBroken(this.peer, reason);
  }

  #onLost(connection: Connection, reason: string, fault: boolean): void {
    const wasOpen = connection === this.#current;
    if (wasOpen) this.#breakCurrent(reason);
    if (connection === this.#greeting) this.#greeting = null;
    this.#accepted.delete(connection);
    if (fault) {
      // Who breaks the protocol cannot be believed about what it has received either.
      if (wasOpen) this.#loseSession(reason);
      this.#refused({ code: 'protocol', reason });
    } else {
      this.#dialLater();
    }
  }

  #loseSession(reason: string): void {
    this.#session.reset();
    const waiters = this.#room.giveUp();
    this.#events.onReset(this.peer, reason);
    for (const resume of waiters) resume();
  }

  // Frames

  #onFrame(connection: Connection, frame: Frame, header: FrameHeader): void {
    if (connection === this.#current) this.#onOpenFrame(connection, frame, header);
    else if (frame.frame === 'refuse') this.#onRefuse(connection, frame);
    else if (connection === this.#greeting && frame.frame === 'welcome') this.#onWelcome(connection, frame);
    else if (this.#accepted.has(connection) && frame.frame === 'hello') this.#onHello(connection, frame);
    else throw new GodwitError('protocol', `frame ${frame.frame} before the greeting`);
  }

  #onOpenFrame(connection: Connection, frame: Frame, header: FrameHeader): void {
    this.#session.acknowledged(header.acknowledged);
    if (isSessionFrame(frame)) {
      this.#onSessionFrame(connection, frame);
    } else {
      this.#acknowledgements.received(HEADER_BYTES + header.length);
      if (this.#session.accept(header.sequence)) this.#events.onFrame(this.peer, frame);
      if (header.prompt) this.#acknowledgements.now();
    }
    this.#room.offer();
  }

  #onSessionFrame(connection: Connection, frame: SessionFrame): void {
    switch (frame.frame) {
      case 'ack':
        return;
      case 'ping':
        this.#sendOn(connection, { frame: 'pong', time: frame.time });
        return;
      case 'pong':
        // Only the answer to the last ping counts, so a peer cannot invent a time.
        if (frame.time === this.#pingedAt) this.roundTripMs = this.#config.clock.now() - frame.time;
        return;
      case 'goodbye':
        this.#dropCurrent();
        this.#loseSession(frame.reason);
        this.#dialLater(TIMING.redialLastMs);
        this.#events.onGoodbye(this.peer, frame.reason);
        return;
      case 'refuse':
        this.#onRefuse(connection, frame);
        return;
      case 'hello':
      case 'welcome':
        throw new GodwitError('protocol', `frame ${frame.frame} after the greeting`);
      default:
        unreachable(frame);
    }
  }

  #onRefuse(connection: Connection, { code, reason }: FrameOf<'refuse'>): void {
    connection.abort();
    if (connection === this.#greeting) this.#greeting = null;
    this.#accepted.delete(connection);
    if (connection === this.#current) {
      this.#breakCurrent(reason);
      this.#loseSession(reason);
    }
    if (code === 'glare') this.#dialLater();
    else this.#refused({ code, reason });
  }

  #sendOn(connection: Connection, frame: SessionFrame): void {
    connection.send(frame, this.#session.received);
    this.#acknowledgements.sent();
  }

  #push(frame: EncodedFrame): void {
    if (this.#closed) return;
    if (this.#session.canHold(frame)) {
      this.#session.push(frame);
      this.#pump();
      return;
    }
    // Frames cannot be left out of a session: one that holds too much is given up as a whole.
    this.reset(`more than ${LIMITS.linkQueueBytes} bytes wait for the peer`);
  }

  #pump(): void {
    while (this.#current?.writable) {
      const frame = this.#session.next();
      if (!frame) return;
      this.#current.sendEncoded(frame);
      this.#acknowledgements.sent();
    }
  }
}
