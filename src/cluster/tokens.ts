/**
 * Join tokens: short-lived, for one node each, kept only as a hash.
 *
 * A token is `gdw1.` and base64url of: SHA-256 of the authority's certificate (32 bytes), with which the new node
 * recognises the right cluster before it says anything; the token's id (8); its secret (32).
 */
import type { Clock, Random } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import type { TokenRecord } from './store.ts';

const PREFIX = 'gdw1.';
const FINGERPRINT_BYTES = 32;
const ID_BYTES = 8;
const SECRET_BYTES = 32;

export interface TokenParts {
  readonly fingerprint: Uint8Array;
  readonly id: Uint8Array;
  readonly secret: Uint8Array;
}

export function formatToken({ fingerprint, id, secret }: TokenParts): string {
  const all = Uint8Array.of(...fingerprint, ...id, ...secret);
  return PREFIX + all.toBase64({ alphabet: 'base64url', omitPadding: true });
}

/** @throws GodwitError('token_invalid') if the text is no token */
export function parseToken(text: string): TokenParts {
  let all = new Uint8Array();
  try {
    if (text.startsWith(PREFIX)) all = Uint8Array.fromBase64(text.slice(PREFIX.length), { alphabet: 'base64url' });
  } catch {
    // The length tells.
  }
  if (all.length !== FINGERPRINT_BYTES + ID_BYTES + SECRET_BYTES) {
    throw new GodwitError('token_invalid', 'that is not a join token: copy the whole line that "godwit token" prints');
  }
  const secretAt = FINGERPRINT_BYTES + ID_BYTES;
  return {
    fingerprint: all.subarray(0, FINGERPRINT_BYTES),
    id: all.subarray(FINGERPRINT_BYTES, secretAt),
    secret: all.subarray(secretAt),
  };
}

export interface NewToken {
  readonly token: string;
  /** Wall-clock time as of `Clock.wallNanos`. */
  readonly expires: bigint;
}

interface Held {
  readonly record: TokenRecord;
  /** By the monotonic clock: a wall clock that jumps back does not lengthen the token's life. */
  readonly deadline: number;
}

export interface TokensConfig {
  readonly clock: Clock;
  /** For secrets. */
  readonly random: Random;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** SHA-256 of the authority's certificate. */
  readonly fingerprint: Uint8Array;
}

/** The tokens that have not expired. Changes come out as records to be saved; the owner saves them. */
export class Tokens {
  readonly #config: TokensConfig;
  #held: Held[] = [];

  /** @param records as saved. Their time goes on by the wall clock, but none gets more than a new one would. */
  constructor(config: TokensConfig, records: readonly TokenRecord[]) {
    this.#config = config;
    const now = config.clock.now();
    for (const record of records) {
      const left = Number(record.expires - config.clock.wallNanos()) / 1e6;
      if (left > 0 && left <= TIMING.tokenLifetimeMs) this.#held.push({ record, deadline: now + left });
    }
  }

  /** What is to be saved. */
  get records(): readonly TokenRecord[] {
    return this.#held.map(({ record }) => record);
  }

  /** @throws GodwitError('limit') if there are too many */
  create(): NewToken {
    this.#dropExpired();
    if (this.#held.length >= LIMITS.joinTokens) {
      throw new GodwitError('limit', `${LIMITS.joinTokens} join tokens exist: wait until some have expired`);
    }
    const { clock, random, sha256, fingerprint } = this.#config;
    const id = new Uint8Array(ID_BYTES);
    const secret = new Uint8Array(SECRET_BYTES);
    random.fill(id);
    random.fill(secret);
    const expires = clock.wallNanos() + BigInt(TIMING.tokenLifetimeMs) * 1_000_000n;
    const record: TokenRecord = { id, secretHash: sha256(secret), expires, used: null };
    this.#held.push({ record, deadline: clock.now() + TIMING.tokenLifetimeMs });
    return { token: formatToken({ fingerprint, id, secret }), expires };
  }

  /**
   * Whether a node may join with this token.
   * @param publicKey the node's: one that has lost the answer may ask again, and gets the same place
   * @returns the node id that the same key was given before, or null
   * @throws GodwitError('token_invalid') if the token is unknown, expired or used by another
   */
  check(id: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): NodeId | null {
    this.#dropExpired();
    const { sha256 } = this.#config;
    const record = this.#held.find((held) => equal(held.record.id, id))?.record;
    if (!record || !equal(record.secretHash, sha256(secret))) {
      throw new GodwitError('token_invalid', 'the token is unknown or has expired: make a new one with "godwit token"');
    }
    if (record.used && !equal(record.used.keyHash, sha256(publicKey))) {
      throw new GodwitError('token_invalid', 'the token has been used: make a new one with "godwit token"');
    }
    return record.used?.node ?? null;
  }

  /** The records with this token used up, to be saved together with the new member, and then to be taken by {@link adopt}. */
  used(id: Uint8Array, publicKey: Uint8Array, node: NodeId): readonly TokenRecord[] {
    const keyHash = this.#config.sha256(publicKey);
    return this.records.map((record) => (equal(record.id, id) ? { ...record, used: { node, keyHash } } : record));
  }

  /** Takes over records that have been saved. */
  adopt(records: readonly TokenRecord[]): void {
    this.#held = this.#held.map((held, i) => ({ ...held, record: records[i] ?? held.record }));
  }

  /** By both clocks: whichever says that the time is over, it is. */
  #dropExpired(): void {
    const now = this.#config.clock.now();
    const wall = this.#config.clock.wallNanos();
    this.#held = this.#held.filter(({ record, deadline }) => now < deadline && wall < record.expires);
  }
}

/** Takes the same time wherever the first difference is. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
