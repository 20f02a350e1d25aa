/**
 * Processes, guests and moves of one node, wired together, with or without other nodes. Frames about processes come
 * in through {@link NodeCore.receive}; what goes out takes the given network.
 */
import { signalNamed } from '../abi/signals.ts';
import type { Clock, Log, Random } from '../base/env.ts';
import type { NodeId, Pid } from '../base/ids.ts';
import { HomeCalls } from '../kernel/homecall.ts';
import type { Process } from '../kernel/process.ts';
import type { ExitStatus } from '../kernel/status.ts';
import type { Named } from '../link/frames/process.ts';
import type { Message, Network, NodeView, PeerEvent } from '../migration/hosts.ts';
import { Roles } from '../migration/roles.ts';
import { NodeGuests } from './guests/guests.ts';
import { HomeProcesses } from './home.ts';
import type { WhenAcknowledged } from './guests/memory-pool.ts';
import type { LoadedModule } from './modules/modules.ts';
import { WorkerPool } from './guests/worker-pool.ts';

export interface CoreOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly firstSerial: number;
  /** What has been sent of the memories of guests. */
  readonly whenAcknowledged: WhenAcknowledged;
  readonly nodes: NodeView;
  readonly module: (hash: Uint8Array, from: NodeId) => Promise<LoadedModule>;
  readonly ended: (process: Process, status: ExitStatus) => void;
  /** A process was made; the next one gets this serial. */
  readonly spawned: (nextSerial: number) => void;
}

/** The frames about processes, but for those that carry modules (node/module-transfer.ts). */
export type ProcessFrame = Exclude<Message, { readonly frame: 'module_ask' | 'module_chunk' }>;

export class NodeCore {
  readonly home: HomeProcesses;
  readonly guests: NodeGuests;
  readonly roles: Roles;
  readonly homeCalls: HomeCalls;
  readonly #pool: WorkerPool;
  /** Processes that are to be seen already, but have no place yet: their guests are being made ready. */
  readonly #starting = new Map<Pid, Promise<void>>();
  readonly #spawned: (nextSerial: number) => void;

  constructor(options: CoreOptions) {
    const { network, clock, random, log } = options;
    const { self } = network;
    this.#spawned = options.spawned;
    this.#pool = new WorkerPool(options.whenAcknowledged);
    const roles = (): Roles => this.roles;
    const send = (to: NodeId, message: Message): void => network.send(to, message);
    this.homeCalls = new HomeCalls(send);
    this.home = new HomeProcesses({
      self,
      surroundings: { clock, random },
      log,
      firstSerial: options.firstSerial,
      roles,
      send,
      nodes: options.nodes,
      ended: options.ended,
    });
    this.guests = new NodeGuests({
      self,
      pool: this.#pool,
      homeSide: this.home,
      homeCalls: this.homeCalls,
      log,
      roles,
      module: options.module,
    });
    const { guests } = this;
    this.roles = new Roles(
      { network, guest: guests, source: guests, destination: guests, home: this.home.host },
      { clock, random, log },
    );
  }

  /** A frame of another node. @throws GodwitError `protocol` if the node is broken */
  receive(from: NodeId, message: ProcessFrame): void {
    if (message.frame === 'call') this.home.remoteCall(from, message);
    else if (message.frame === 'reply') this.homeCalls.reply(from, message);
    else if (message.frame === 'request') this.#request(from, message);
    else this.roles.receive(from, message);
  }

  /** What has happened to another node. */
  peer(node: NodeId, event: PeerEvent): void {
    this.roles.peer(node, event);
    if (event === 'reset') this.homeCalls.reset(node);
  }

  /**
   * Starts a process that the kernel has spawned.
   * @param held stops it (SIGSTOP) before its first instruction
   * @throws GodwitError `limit` if there is no memory for it
   */
  async start(process: Process, module: LoadedModule, held = false): Promise<void> {
    const { args, env, pid } = process.identity;
    this.#spawned(this.home.kernel.processes.nextSerial);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#starting.set(pid, promise);
    try {
      const run = await this.guests.create(pid, module, args, env);
      const incarnation = this.home.admit(process, module);
      if (incarnation === null) {
        this.guests.discard(pid);
        return;
      }
      if (held) this.home.kernel.processes.signal(process, STOP);
      run(incarnation);
    } finally {
      this.#starting.delete(pid);
      resolve();
    }
  }

  /** Resolves when a process of this node is not being started (any more). */
  async started(pid: Pid): Promise<void> {
    await this.#starting.get(pid);
  }

  /** A process is to be seen before it has its place: a move that is wanted by then waits until it has. */
  #request(from: NodeId, message: Named<Message, 'request'>): void {
    const starting = this.#starting.get(message.pid);
    if (starting) void starting.then(() => this.roles.receive(from, message));
    else this.roles.receive(from, message);
  }

  /** The guest's CPU time and so on, to its home: now and then, and before it leaves. */
  async reportUsage(): Promise<void> {
    for (const session of this.guests.sessions()) {
      const cpuMs = await session.cpuMs();
      this.roles.reportUsage(session.spec.pid, session.usage(cpuMs));
    }
  }

  /** Ends all guests here. */
  async close(): Promise<void> {
    await this.guests.close();
    await this.#pool.close();
  }
}

const STOP = signalNamed('STOP');
