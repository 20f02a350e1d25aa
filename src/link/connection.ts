/**
 * One connection of a link: a transport, the parser of what comes in, and the frames of the session that belong to no
 * session but to this connection. It dies of silence, of rubbish and of its transport; the link lives on.
 */
import type { Clock, Timer } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import type { EncodedFrame, Frame, FrameHeader, SessionFrame } from './frames.ts';
import { encodeFrame, stamp } from './frames.ts';
import { FrameParser } from './parser.ts';
import type { Transport } from './transport.ts';

export interface ConnectionOwner {
  /** A frame has come; throwing GodwitError('protocol') ends the connection as rubbish. */
  onFrame(connection: Connection, frame: Frame, header: FrameHeader): void;
  /** There is room for more after `writable` was false. */
  onWritable(connection: Connection): void;
  /** Time for a ping. `now` is the monotonic clock. */
  onHeartbeat(connection: Connection, now: number): void;
  /** The connection is over and was not closed by its owner. `fault`: because the peer broke the protocol. */
  onLost(connection: Connection, reason: string, fault: boolean): void;
}

export class Connection {
  /** This side has connected. */
  readonly dialed: boolean;
  /** False while the transport has enough to send. */
  writable = true;
  #closed = false;
  #heardAt: number;
  #tickedAt: number;
  #timer: Timer;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #owner: ConnectionOwner;
  readonly #parser = new FrameParser(LIMITS.greetingBytes);

  constructor(transport: Transport, dialed: boolean, clock: Clock, owner: ConnectionOwner) {
    this.dialed = dialed;
    this.#transport = transport;
    this.#clock = clock;
    this.#owner = owner;
    this.#heardAt = this.#tickedAt = clock.now();
    this.#timer = clock.after(TIMING.handshakeMs, () => this.#lose('the greeting did not come in time', false));
    transport.start({
      bytes: (slice) => this.#receive(slice),
      drained: () => {
        this.writable = true;
        owner.onWritable(this);
      },
      closed: (reason) => this.#lose(reason, false),
    });
  }

  /** When the peer was last heard, by the monotonic clock. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** The greetings are exchanged: larger frames may come, and silence counts from now on. */
  open(): void {
    this.#parser.limit = LIMITS.frameBytes;
    this.#timer.cancel();
    this.#tickedAt = this.#heardAt = this.#clock.now();
    this.#timer = this.#clock.after(TIMING.heartbeatMs, () => this.#heartbeat());
  }

  /** @param received the last sequence number of the session, which rides on every frame */
  send(frame: SessionFrame, received: number): void {
    const encoded = encodeFrame(frame);
    stamp(encoded, 0, received);
    this.sendEncoded(encoded);
  }

  sendEncoded(frame: EncodedFrame): void {
    if (!this.#closed) this.writable = this.#transport.send(frame.parts);
  }

  /** Ends the connection when what was sent is out; the owner hears nothing more of it. */
  end(): void {
    if (!this.#stop()) return;
    this.#transport.end();
  }

  /** Ends the connection at once. */
  abort(): void {
    if (!this.#stop()) return;
    this.#transport.abort();
  }

  #stop(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#timer.cancel();
    return true;
  }

  #lose(reason: string, fault: boolean): void {
    if (!this.#stop()) return;
    if (fault) this.#transport.end();
    else this.#transport.abort();
    this.#owner.onLost(this, reason, fault);
  }

  #receive(slice: Uint8Array): void {
    if (this.#closed) return;
    this.#heardAt = this.#clock.now();
    try {
      this.#parser.push(slice, (frame, header) => {
        this.#owner.onFrame(this, frame, header);
        return !this.#closed;
      });
    } catch (error) {
      if (!(error instanceof GodwitError) || error.code !== 'protocol') throw error;
      this.send({ frame: 'refuse', code: 'protocol', reason: error.message }, 0);
      this.#lose(error.message, true);
    }
  }

  #heartbeat(): void {
    const now = this.#clock.now();
    // A node that was itself stopped for a while must not blame its peers: their bytes may be waiting to be read.
    if (now - this.#tickedAt > TIMING.silentMs) this.#heardAt = now;
    this.#tickedAt = now;
    if (now - this.#heardAt >= TIMING.silentMs) {
      this.#lose(`nothing was heard for ${TIMING.silentMs} ms`, false);
      return;
    }
    this.#timer = this.#clock.after(TIMING.heartbeatMs, () => this.#heartbeat());
    this.#owner.onHeartbeat(this, now);
  }
}
