/** The attempts to connect to one peer: one at a time, with growing waits that no two nodes share. */
import type { Clock, Random, Timer } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import { TIMING } from '../base/timing.ts';
import type { Dialer, Dialing, Transport } from './transport.ts';

export class Redial {
  readonly #peer: NodeId;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #dialer: Dialer;
  readonly #onConnected: (transport: Transport) => void;
  readonly #onFailed: (reason: string) => void;
  #dialing: Dialing | null = null;
  #timer: Timer | null = null;
  /** Attempts since the last connection that worked. */
  #attempts = 0;

  constructor(
    peer: NodeId,
    parts: { readonly clock: Clock; readonly random: Random; readonly dialer: Dialer },
    on: { connected(transport: Transport): void; failed(reason: string): void },
  ) {
    this.#peer = peer;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#dialer = parts.dialer;
    this.#onConnected = (transport) => on.connected(transport);
    this.#onFailed = (reason) => on.failed(reason);
  }

  /** Dials now, unless an attempt is under way. */
  now(address: string): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#dialing || address === '') return;
    this.#attempts++;
    this.#dialing = this.#dialer.dial(this.#peer, address, (result) => {
      this.#dialing = null;
      if ('failed' in result) this.#onFailed(result.failed);
      else this.#onConnected(result);
    });
  }

  /**
   * Dials after a while, unless that is under way already.
   * @param address asked for when the time has come
   * @param atLeast milliseconds, for a peer that has refused
   */
  later(address: () => string, atLeast = 0): void {
    if (this.#dialing || this.#timer) return;
    const doubled = TIMING.redialFirstMs * 2 ** Math.min(this.#attempts, 16);
    const wait = Math.max(Math.min(TIMING.redialLastMs, doubled), atLeast);
    // Half of it is random: nodes that lost each other at the same moment do not meet again at the same moment.
    this.#timer = this.#clock.after(wait / 2 + this.#random.below(Math.ceil(wait / 2)), () => this.now(address()));
  }

  /** A connection works: the next waits are short again. */
  succeeded(): void {
    this.#attempts = 0;
    this.stop();
  }

  /** Gives up the attempt under way and the one that waits. */
  stop(): void {
    this.#dialing?.cancel();
    this.#dialing = null;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
