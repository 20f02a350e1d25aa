/** The founding node as the engine of the membership: it keeps the list, the tokens and the authority durably. */
import { GodwitError, messageOf } from '../base/errors.ts';
import type { Clock, Log, Random } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { parseAddress } from '../link/address.ts';
import type { Admission, Application, MembershipEngine, Sighting } from './engine.ts';
import type { Member, MemberList } from './members.ts';
import { checkNodeName } from './members.ts';
import type { MembershipStore } from './store.ts';
import type { NewToken } from './tokens.ts';
import { Tokens } from './tokens.ts';

/** What the founder needs of the cluster authority (authority.ts). */
export interface Certifier {
  /** The authority's own certificate, PEM. */
  readonly certificate: string;
  /** A node's certificate, PEM. @throws GodwitError('protocol') if the public key cannot be used */
  certify(node: NodeId, publicKey: Uint8Array): string;
  sha256(bytes: Uint8Array): Uint8Array;
  /** SHA-256 of a certificate (PEM). */
  fingerprint(certificate: string): Uint8Array;
}

export interface FounderConfig {
  readonly clock: Clock;
  /** For the secrets of tokens. */
  readonly random: Random;
  readonly log: Log;
  readonly store: MembershipStore;
  readonly certifier: Certifier;
}

export class Founder implements MembershipEngine {
  readonly #config: FounderConfig;
  readonly #tokens: Tokens;
  readonly #listeners: ((list: MemberList) => void)[] = [];
  #list: MemberList;

  /** @throws GodwitError('corrupt') if the store has no list of members */
  constructor(config: FounderConfig) {
    this.#config = config;
    const { clock, random, store, certifier } = config;
    const { memberList, tokens } = store.load();
    if (!memberList) throw new GodwitError('corrupt', 'the stored state has no list of members');
    this.#list = memberList;
    const fingerprint = certifier.fingerprint(certifier.certificate);
    this.#tokens = new Tokens({ clock, random, sha256: (b) => certifier.sha256(b), fingerprint }, tokens ?? []);
  }

  get list(): MemberList {
    return this.#list;
  }

  onChange(listener: (list: MemberList) => void): void {
    this.#listeners.push(listener);
  }

  // The interface is asynchronous for the sake of an external engine: errors are rejections here too.

  async createToken(): Promise<NewToken> {
    const made = this.#tokens.create();
    this.#config.store.save({ tokens: this.#tokens.records });
    return made;
  }

  async admit(application: Application): Promise<Admission> {
    const { certifier, store, log } = this.#config;
    const { token, secret, publicKey } = application;
    const before = this.#tokens.check(token, secret, publicKey);
    const name = checkNodeName(application.name);
    parseAddress(application.address);
    const holder = this.#list.members.find((m) => m.name === name && m.state !== 'left' && m.node !== before);
    if (holder) {
      throw new GodwitError('usage', `the name ${name} is taken by node ${holder.node}: choose another with --name`);
    }
    const node = before ?? this.#freeId();
    const certificate = certifier.certify(node, publicKey);
    const member: Member = {
      node,
      name,
      address: application.address,
      fingerprint: certifier.fingerprint(certificate),
      boot: 0n,
      state: 'down',
    };
    const list = this.#changed([...this.#list.members.filter((m) => m.node !== node), member]);
    const tokens = this.#tokens.used(token, publicKey, node);
    // Saved before anyone hears of it: a founder that crashes here has either used the token and made the member, or neither.
    store.save({ memberList: list, tokens });
    this.#tokens.adopt(tokens);
    // Where it listens it says when it does: what it has applied with may be port 0.
    log.info('a node has joined', { node, name });
    this.#publish(list);
    return { node, certificate, authority: certifier.certificate, list };
  }

  report(node: NodeId, seen: Sighting): void {
    const known = this.#list.members.find((m) => m.node === node);
    if (!known || known.state === 'left') return;
    const next = { ...known, ...seen };
    if (next.state === known.state && next.boot === known.boot && next.address === known.address) return;
    if (next.address !== known.address) {
      this.#config.log.info('a node has its address', { node, name: known.name, address: next.address });
    }
    const list = this.#changed(this.#list.members.map((m) => (m.node === node ? next : m)));
    try {
      this.#config.store.save({ memberList: list });
    } catch (error) {
      // What is seen can be seen again; the cluster goes on and the next change saves it too.
      this.#config.log.error('cannot save the list of members', { reason: messageOf(error) });
    }
    this.#publish(list);
  }

  async remove(node: NodeId): Promise<void> {
    const known = this.#list.members.find((m) => m.node === node && m.state !== 'left');
    if (!known) throw new GodwitError('unknown_node', `node ${node} is no member`);
    if (node === this.#list.founder) throw new GodwitError('usage', 'the founding node cannot be removed');
    const list = this.#changed(this.#list.members.map((m) => (m.node === node ? { ...m, state: 'left' } : m)));
    this.#config.store.save({ memberList: list });
    this.#config.log.info('a node has been removed', { node, name: known.name });
    this.#publish(list);
  }

  #freeId(): NodeId {
    if (this.#list.members.length >= LIMITS.members) {
      throw new GodwitError('limit', `the cluster has had ${LIMITS.members} nodes, which is all that it can have`);
    }
    return nodeId(Math.max(...this.#list.members.map((m) => m.node)) + 1);
  }

  #changed(members: readonly Member[]): MemberList {
    const { version, founder } = this.#list;
    return { version: version + 1n, founder, members: members.toSorted((a, b) => a.node - b.node) };
  }

  #publish(list: MemberList): void {
    this.#list = list;
    for (const listener of this.#listeners) listener(list);
  }
}
