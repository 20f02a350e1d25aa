/**
 * How a new node joins: one frame each way over a TLS connection on which only the server has a certificate.
 *
 * The new node recognises the cluster by the fingerprint in its token before it sends the secret. The server takes
 * one frame from a stranger, of bounded size and in bounded time, from a bounded number of strangers, and forgets an
 * address that guesses for a while.
 */
import type { Clock, Log } from '../base/env.ts';
import { GodwitError, messageOf, requestFailure } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import type { Address } from '../link/address.ts';
import { withHost } from '../link/address.ts';
import type { Frame, FrameOf } from '../link/frames.ts';
import { encodeFrame } from '../link/frames.ts';
import { type Build, commonProtocol, lackingCapabilities, PROTOCOL } from '../link/greeting.ts';
import { FrameParser } from '../link/parser.ts';
import type { Channel } from '../link/transport.ts';
import type { MembershipEngine } from './engine.ts';
import type { MemberList } from './members.ts';
import { parseToken } from './tokens.ts';

/** The codes that `join_refused` carries. */
type RefusalCode = FrameOf<'join_refused'>['code'];
const REFUSAL_CODES: ReadonlySet<string> = new Set<RefusalCode>([
  'token_invalid',
  'version_mismatch',
  'usage',
  'limit',
  'io',
]);

export interface JoinServerConfig {
  readonly clock: Clock;
  readonly log: Log;
  readonly self: Build;
  readonly cluster: string;
  /** Null: this node cannot take anyone in, and says which node can. */
  readonly engine: MembershipEngine | null;
  /** The founding node, as a person would write it: name and address. */
  readonly founder: () => string;
  /** The DER form of a certificate (PEM). */
  readonly certificateBytes: (certificate: string) => Uint8Array;
}

export class JoinServer {
  readonly #config: JoinServerConfig;
  readonly #pending = new Set<Channel>();
  readonly #failures = new Map<string, { count: number; readonly since: number }>();

  constructor(config: JoinServerConfig) {
    this.#config = config;
  }

  /** Serves one stranger. @param remote its address */
  serve(channel: Channel, remote: string): void {
    const { clock, log } = this.#config;
    if (this.#pending.size >= LIMITS.pendingJoins || this.#isGuessing(remote)) {
      log.warn('join refused', { remote, reason: 'too many attempts' });
      channel.start({ bytes() {}, drained() {}, closed() {} });
      answer(channel, { frame: 'join_refused', code: 'limit', reason: 'too many attempts: try again in a minute' });
      return;
    }
    this.#pending.add(channel);
    const finish = (): void => {
      timer.cancel();
      this.#pending.delete(channel);
    };
    const timer = clock.after(TIMING.joinMs, () => {
      finish();
      channel.abort();
    });
    const parser = new FrameParser(LIMITS.joinFrameBytes);
    let asked = false;
    channel.start({
      bytes: (slice) => {
        if (asked) return;
        try {
          parser.push(slice, (frame) => {
            asked = true;
            void this.#reply(channel, frame, remote).finally(finish);
            return false;
          });
        } catch (error) {
          asked = true;
          finish();
          log.warn('join refused', { remote, reason: messageOf(error) });
          channel.abort();
        }
      },
      drained() {},
      closed: finish,
    });
  }

  /** Stops serving. */
  close(): void {
    for (const channel of this.#pending) channel.abort();
    this.#pending.clear();
  }

  async #reply(channel: Channel, frame: Frame, remote: string): Promise<void> {
    answer(channel, await this.#decide(frame, remote));
  }

  async #decide(frame: Frame, remote: string): Promise<Frame> {
    const { engine, log } = this.#config;
    try {
      if (frame.frame !== 'join') throw new GodwitError('usage', `frame ${frame.frame} of a stranger`);
      if (commonProtocol(frame) === null) throw new GodwitError('version_mismatch', this.#versionReason(frame));
      const lacking = lackingCapabilities(this.#config.self, frame);
      if (lacking !== null) throw new GodwitError('version_mismatch', lacking);
      if (!engine) {
        throw new GodwitError('usage', `only ${this.#config.founder()} can take new nodes in: use its address`);
      }
      const { node, certificate, authority, list } = await engine.admit({
        ...frame,
        address: withHost(frame.address, remote),
      });
      const { cluster, certificateBytes } = this.#config;
      return {
        frame: 'joined',
        cluster,
        node,
        certificate: certificateBytes(certificate),
        authority: certificateBytes(authority),
        ...list,
      };
    } catch (error) {
      const { code, message } = requestFailure(error, log, `join from ${remote}`);
      if (code === 'token_invalid') this.#noteFailure(remote);
      log.warn('join refused', { remote, reason: message });
      return { frame: 'join_refused', code: refusalCode(code), reason: message };
    }
  }

  #versionReason(frame: FrameOf<'join'>): string {
    return (
      `this node (build ${this.#config.self.build}) speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, ` +
      `yours (build ${frame.build}) ${frame.protocolMin} to ${frame.protocolMax}: install the same Godwit on both`
    );
  }

  #isGuessing(remote: string): boolean {
    const failures = this.#failures.get(remote);
    if (!failures) return false;
    if (this.#config.clock.now() - failures.since < TIMING.joinFailuresMs) return failures.count >= LIMITS.joinFailures;
    this.#failures.delete(remote);
    return false;
  }

  #noteFailure(remote: string): void {
    const failures = this.#failures.get(remote);
    if (failures) {
      failures.count++;
      return;
    }
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= LIMITS.joinFailureAddresses && oldest !== undefined) this.#failures.delete(oldest);
    this.#failures.set(remote, { count: 1, since: this.#config.clock.now() });
  }
}

function refusalCode(code: string): RefusalCode {
  if (code === 'internal') return 'io';
  // What else can go wrong (a public key that is none) is the new node's fault.
  return REFUSAL_CODES.has(code) ? (code as RefusalCode) : 'usage';
}

function answer(channel: Channel, frame: Frame): void {
  channel.send(encodeFrame(frame).parts);
  channel.end();
}

export interface JoinConfig {
  readonly clock: Clock;
  readonly self: Build;
  /** Where a member listens. */
  readonly address: Address;
  /** The text of the token. */
  readonly token: string;
  readonly name: string;
  /** Where this node listens. */
  readonly ownAddress: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** Connects to an address and checks that it has a certificate of the authority with this fingerprint (tls.ts). */
  dial(address: Address, fingerprint: Uint8Array): Promise<Channel>;
  /** SHA-256 of the DER form of a certificate. */
  sha256(bytes: Uint8Array): Uint8Array;
}

export interface Joined {
  readonly cluster: string;
  readonly node: NodeId;
  /** DER, as is the authority's. */
  readonly certificate: Uint8Array;
  readonly authority: Uint8Array;
  readonly list: MemberList;
}

/**
 * Asks a member to take this node in.
 * @throws GodwitError with the server's code and reason, or ('node_down') if it does not answer
 */
export async function join(config: JoinConfig): Promise<Joined> {
  const { fingerprint, id, secret } = parseToken(config.token);
  const channel = await config.dial(config.address, fingerprint);
  const reply = await exchange(channel, config.clock, {
    frame: 'join',
    protocolMin: PROTOCOL.min,
    protocolMax: PROTOCOL.max,
    ...config.self,
    token: id,
    secret,
    name: config.name,
    address: config.ownAddress,
    publicKey: config.publicKey,
  });
  if (reply.frame === 'join_refused') throw new GodwitError(reply.code, reply.reason);
  if (reply.frame !== 'joined') throw new GodwitError('protocol', `frame ${reply.frame} is no answer to join`);
  if (config.sha256(reply.authority).toHex() !== fingerprint.toHex()) {
    throw new GodwitError('protocol', 'the answer is of another cluster than the token');
  }
  const { cluster, node, certificate, authority, version, founder, members } = reply;
  return { cluster, node, certificate, authority, list: { version, founder, members } };
}

/** Sends one frame and waits for one; closes the connection. */
function exchange(channel: Channel, clock: Clock, request: Frame): Promise<Frame> {
  return new Promise((resolve, reject) => {
    // The answer lists all members: as large as any frame between members.
    const parser = new FrameParser(LIMITS.frameBytes);
    const timer = clock.after(TIMING.joinMs, () => fail('it does not answer'));
    const fail = (reason: string): void => {
      timer.cancel();
      channel.abort();
      reject(new GodwitError('node_down', `the node to join has not answered: ${reason}`));
    };
    channel.start({
      bytes(slice) {
        try {
          parser.push(slice, (frame) => {
            timer.cancel();
            channel.end();
            resolve(frame);
            return false;
          });
        } catch (error) {
          fail(messageOf(error));
        }
      },
      drained() {},
      closed: fail,
    });
    channel.send(encodeFrame(request).parts);
  });
}
