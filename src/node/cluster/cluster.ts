/**
 * The other nodes: links, membership and what can be asked of each, as one {@link ClusterView} for the commands and
 * one network for the processes.
 */
import type { Clock, Log, Random } from '../../base/env.ts';
import { GodwitError } from '../../base/errors.ts';
import { creatorOf, type NodeId, pid as asPid } from '../../base/ids.ts';
import type { Founder } from '../../cluster/founder.ts';
import { findMember, type Member as MemberRecord } from '../../cluster/members.ts';
import { type MemberEvent, Membership } from '../../cluster/membership.ts';
import type { MembershipStore } from '../../cluster/store.ts';
import { noSuchProcess } from '../../kernel/unknown.ts';
import { parseAddress, withHost } from '../../link/address.ts';
import type { PeerFrame } from '../../link/frames.ts';
import { type LinksConfig, Links } from '../../link/links.ts';
import type { Message, Network, NodeState, NodeView, PeerEvent } from '../../migration/hosts.ts';
import type { ClusterView, Member } from './cluster-view.ts';
import type { NodeCore, ProcessFrame } from '../core.ts';
import type { JoinToken, NodeInfo } from '../daemon.ts';
import { type MachineStatus, machineStatus, ownHost, UNKNOWN_MACHINE } from '../machine.ts';
import { ModuleExchange } from '../modules/module-exchange.ts';
import type { ModuleStore } from '../modules/modules.ts';
import {
  type Answers,
  isImpatient,
  type QuestionArgs,
  type QuestionName,
  type QuestionResult,
  Questions,
} from './questions.ts';
import { explainSilence } from './silence.ts';

export interface ClusterOptions {
  readonly self: NodeId;
  /** HOST:PORT as bound. */
  readonly address: string;
  readonly boot: bigint;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: MembershipStore;
  readonly founder: Founder | null;
  readonly modules: ModuleStore;
  readonly links: Omit<LinksConfig, 'admit'>;
  /** Guests that want to compute, averaged. */
  readonly load: () => number;
  readonly answers: Pick<Answers, 'processes' | 'kill' | 'wait'>;
}

/** What only a node itself knows of itself. */
interface NodeStatus extends MachineStatus {
  readonly load: number;
  readonly processes: number;
}

/** What the membership sees of a node, as the moves want to know it. */
const MOVE_EVENTS: { readonly [E in MemberEvent['event']]: PeerEvent | null } = {
  joined: null,
  up: 'reachable',
  unreachable: 'unreachable',
  down: 'down',
  restarted: 'restarted',
  reset: 'reset',
  left: 'down',
};

export class Cluster implements ClusterView, NodeView {
  readonly links: Links;
  readonly membership: Membership;
  readonly modules: ModuleExchange;
  readonly #options: ClusterOptions;
  readonly #questions: Questions;
  /** Nodes for which someone waits until there is room for bulk data. */
  readonly #waiting = new Set<NodeId>();
  #core: NodeCore | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { self, address, boot, clock, log, store, founder } = options;
    this.links = new Links(
      { ...options.links, admit: (node) => this.membership.admit(node) },
      {
        onFrame: (from, frame) => this.#receive(from, frame),
        onPeer: (node, event) => this.membership.onPeer(node, event),
      },
    );
    this.membership = new Membership({
      self,
      address,
      boot,
      clock,
      log,
      store,
      engine: founder,
      links: this.links,
      onEvent: (event) => this.#memberEvent(event),
    });
    this.modules = new ModuleExchange(options.modules, this.network);
    const answers = {
      ...options.answers,
      status: () => Promise.resolve(this.#status()),
      token: () => this.#newToken(),
    };
    this.#questions = new Questions((to, frame) => this.links.send(to, frame), answers, log);
  }

  /** Starts to keep links to all members, and to deliver what they say about processes to `core`. */
  start(core: NodeCore): void {
    this.#core = core;
    this.membership.start();
  }

  stop(): void {
    this.membership.stop();
    this.links.close('the node stops');
  }

  /** For the roles of moves and for modules. */
  get network(): Network {
    return {
      self: this.#options.self,
      send: (to: NodeId, message: Message) => {
        // To a node that has left the cluster nothing can be sent; that it has left is told by an event of its own.
        if (!this.links.get(to)) return;
        const bulk = message.frame === 'image_chunk' || message.frame === 'module_chunk';
        if (bulk) this.links.sendBulk(to, message);
        else this.links.send(to, message);
      },
      hasRoom: (to) => this.#hasRoom(to),
    };
  }

  nodeState(node: NodeId): NodeState {
    const state = this.membership.stateOf(node);
    return state === null || state === 'left' ? 'unknown' : state;
  }

  silence(node: NodeId): string {
    const member = this.membership.list.members.find(({ node: id }) => id === node);
    const { name = String(node), address = '' } = member ?? {};
    return explainSilence({ name, address, state: this.nodeState(node), refusal: this.membership.refusalOf(node) });
  }

  // ClusterView

  resolve(node: string): Member {
    return this.#member(findMember(this.membership.list, node));
  }

  homeOf(pid: number): Member {
    const found = this.#present().find(({ node }) => node === this.#creator(pid));
    if (!found) throw new GodwitError('unknown_process', noSuchProcess(pid));
    return this.#member(found);
  }

  nameOf(node: NodeId): string {
    return this.membership.list.members.find((member) => member.node === node)?.name ?? String(node);
  }

  requireAnswering(node: NodeId): void {
    const state = node === this.#options.self ? 'up' : this.nodeState(node);
    if (state === 'down' || state === 'unknown') throw new GodwitError('node_down', this.silence(node));
  }

  peers(): readonly Member[] {
    const { self } = this.#options;
    return this.#present()
      .filter(({ node, state }) => node !== self && state === 'up')
      .map((member) => this.#member(member));
  }

  async nodes(): Promise<readonly NodeInfo[]> {
    return Promise.all(this.#present().map((member) => this.#nodeInfo(member)));
  }

  nextUp(node: NodeId): NodeId | null {
    const up = this.#present().filter(({ node: other, state }) => state === 'up' && other !== node);
    return (up.find(({ node: other }) => other > node) ?? up[0])?.node ?? null;
  }

  async token(): Promise<JoinToken> {
    if (this.#options.founder) return this.#newToken();
    try {
      return await this.#ask(this.membership.list.founder, 'token', {});
    } catch (error) {
      if (!(error instanceof GodwitError) || error.code !== 'node_down') throw error;
      const reason = `only the founding node gives out join tokens, and ${error.message}`;
      throw new GodwitError(error.code, reason, { cause: error });
    }
  }

  #creator(pid: number): NodeId | null {
    try {
      return creatorOf(asPid(pid));
    } catch {
      return null;
    }
  }

  #present(): readonly MemberRecord[] {
    return this.membership.list.members.filter(({ state }) => state !== 'left');
  }

  #member({ node, name }: MemberRecord): Member {
    return {
      id: node,
      name,
      processes: async () => {
        try {
          return await this.#ask(node, 'processes', {});
        } catch (error) {
          // It went away while it was asked: its processes are not to be seen.
          if (error instanceof GodwitError && error.code === 'node_down') return [];
          throw error;
        }
      },
      kill: async (pid, signal) => {
        await this.#ask(node, 'kill', { pid, signal });
      },
      wait: (pid) => this.#ask(node, 'wait', { pid }),
    };
  }

  /** @throws GodwitError what the peer says; `node_down` at once if it is known not to answer, for no event will tell */
  async #ask<N extends QuestionName>(node: NodeId, what: N, args: QuestionArgs<N>): Promise<QuestionResult<N>> {
    this.requireAnswering(node);
    if (isImpatient(what) && this.nodeState(node) === 'unreachable') {
      throw new GodwitError('node_down', this.silence(node));
    }
    return this.#questions.ask(node, what, args);
  }

  async #nodeInfo({ node, name, address, state }: MemberRecord): Promise<NodeInfo> {
    const { self } = this.#options;
    const unknown: NodeStatus = { ...UNKNOWN_MACHINE, load: 0, processes: 0 };
    const status = async (): Promise<NodeStatus> => {
      if (node === self) return this.#status();
      try {
        return state === 'up' ? await this.#ask(node, 'status', {}) : unknown;
      } catch (error) {
        if (error instanceof GodwitError) return unknown;
        throw error;
      }
    };
    return { id: node, name, address, state: state === 'left' ? 'down' : state, ...(await status()) };
  }

  #status(): NodeStatus {
    return { ...machineStatus(), load: this.#options.load(), processes: this.#core?.guests.size ?? 0 };
  }

  async #newToken(): Promise<JoinToken> {
    const { founder, address } = this.#options;
    if (!founder) throw new GodwitError('usage', 'only the founding node makes join tokens');
    const { token, expires } = await founder.createToken();
    const host = ownHost(parseAddress(address).host === '::' ? 'both' : 'IPv4');
    return { token, address: withHost(address, host), expires: Number(expires / 1_000_000n) };
  }

  #hasRoom(to: NodeId): boolean {
    if (!this.links.get(to)) return false;
    if (this.links.room(to)) return true;
    if (!this.#waiting.has(to)) {
      this.#waiting.add(to);
      this.links.whenRoom(to, () => {
        this.#waiting.delete(to);
        this.#core?.roles.room(to);
        this.modules.frames.room(to);
      });
    }
    return false;
  }

  #receive(from: NodeId, frame: PeerFrame): void {
    if (this.membership.onFrame(from, frame)) return;
    switch (frame.frame) {
      case 'ask':
      case 'told':
      case 'ask_failed':
        this.#questions.receive(from, frame);
        return;
      case 'module_ask':
        this.modules.frames.ask(from, frame);
        return;
      case 'module_chunk':
        this.modules.frames.chunk(from, frame);
        return;
      default:
        this.#core?.receive(from, frame as ProcessFrame);
    }
  }

  #memberEvent({ event, node }: MemberEvent): void {
    if (event === 'unreachable') this.#questions.unreachable(node, this.silence(node));
    if (event === 'reset' || event === 'restarted' || event === 'down' || event === 'left') {
      this.#questions.lost(node, this.silence(node));
      this.#waiting.delete(node);
    }
    const told = MOVE_EVENTS[event];
    if (told) this.#core?.peer(node, told);
    if (told) this.modules.frames.peer(node, told);
    // A node that was given up and comes back must not go on in the old session: both sides have to compare what they
    // hold, and that begins with a reset.
    if (event === 'down') this.links.get(node)?.reset('the node was given up');
  }
}
