/**
 * A simulated cluster and what must hold in it. Checked at every step of every guest:
 *
 * 1. At most one guest of a process may execute: it is not frozen, not paused, its node is not stopped, and its lease
 *    is valid. A guest without a valid lease executes only in a node that has been stopped as a whole, in the moment
 *    before the daemon's first turn; and it changes nothing outside its memory.
 * 2. What changes something outside, or at home, does so in the order of the incarnations; at home exactly once and in
 *    the order of each of its threads, with the reply of just that call.
 * 3. A process ends once; as its program says, unless it was killed, or every node that held its newest state is gone.
 * 4. At the end nothing is left over anywhere, and every request has had one answer.
 */
import assert from 'node:assert/strict';
import type { Incarnation, NodeId, Pid, Seat } from '../../base/ids.ts';
import { makePid, nodeId } from '../../base/ids.ts';
import { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import type { MoveResult, ProcessEnd } from '../hosts.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import type { Program } from './program.ts';
import { isCall, outcome } from './program.ts';

interface Known {
  readonly pid: Pid;
  readonly home: SimNode;
  readonly program: Program;
  /** Of its threads, by seat. */
  readonly logs: readonly number[][];
  /** The highest incarnation of which a guest has started. */
  started: number;
  /** The highest one that has changed anything outside its memory. */
  outside: number;
  /** When it was frozen last. */
  frozenAt: number;
  checksums: readonly number[] | null;
  killed: boolean;
  end: ProcessEnd | null;
}

interface Asked {
  readonly by: SimNode;
  readonly home: SimNode;
  answers: MoveResult[];
}

export class World {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly processes = new Map<Pid, Known>();
  readonly programs = new Map<Pid, Program>();
  readonly requests: Asked[] = [];
  /** What happened how often, to see that the simulation does what it is meant to. */
  readonly counts = new Map<string, number>();
  /** Longest time of one step of a program. */
  stepMs = 50;
  /** Hosts refuse and fail now and then. */
  moody = true;
  /** Called before each event of any node. */
  onEvent: () => void = () => {};
  readonly usage = { cpuMs: 1, memoryBytes: 1n, localCalls: 1n, threads: 1, waiting: [] };
  readonly #nodes = new Map<NodeId, SimNode>();
  #serial = 0;
  #boot = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork(this.clock, this.random);
  }

  get nodes(): SimNode[] {
    return [...this.#nodes.values()];
  }

  get living(): SimNode[] {
    return this.nodes.filter((node) => node.alive);
  }

  // What can happen.

  boot(id: number): SimNode {
    const node = new SimNode(this, nodeId(id), ++this.#boot);
    this.#nodes.set(node.id, node);
    this.network.attach(node);
    return node;
  }

  node(id: number): SimNode {
    const node = this.#nodes.get(nodeId(id));
    assert(node, `no node ${id}`);
    return node;
  }

  spawn(home: SimNode, program: Program): Pid {
    const pid = makePid(home.id, ++this.#serial);
    const known = { started: 0, outside: 0, frozenAt: 0, checksums: null, killed: false, end: null };
    this.programs.set(pid, program);
    this.processes.set(pid, { pid, home, program, logs: program.threads.map(() => []), ...known });
    home.spawn(pid, program);
    return pid;
  }

  migrate(by: SimNode, pid: Pid, target: NodeId): Asked {
    const { home } = this.process(pid);
    const asked: Asked = { by, home, answers: [] };
    this.requests.push(asked);
    by.run(() =>
      by.roles.migrate(pid, home.id, target, (result) => {
        asked.answers.push(result);
        this.count(result.ok ? (result.stats ? 'moved' : 'was there') : result.code);
      }),
    );
    return asked;
  }

  kill(pid: Pid): void {
    const known = this.process(pid);
    known.home.run(() => {
      if (known.end) return;
      known.killed = true;
      known.home.roles.kill(pid, 9);
      assert(known.end, 'a kill is immediate');
    });
  }

  process(pid: Pid): Known {
    const known = this.processes.get(pid);
    assert(known, `no process ${pid}`);
    return known;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  // What the nodes report.

  /** @returns the length of the log with this entry */
  append(pid: Pid, seat: Seat, position: number): number {
    const { logs, program } = this.process(pid);
    const log = logs[seat];
    const steps = program.threads[seat];
    assert(log && steps, `process ${pid} has no thread at ${seat}`);
    const last = log.at(-1) ?? -1;
    const wanted = steps.findIndex((step, i) => i > last && isCall(step));
    assert.equal(position, wanted, `process ${pid} appends out of order, or twice`);
    return log.push(position);
  }

  started(_node: SimNode, pid: Pid, incarnation: Incarnation): void {
    const known = this.process(pid);
    known.started = Math.max(known.started, incarnation);
    this.checkActive(pid);
  }

  frozen(pid: Pid): void {
    this.process(pid).frozenAt = this.clock.now();
  }

  executes(node: SimNode, { pid, home }: { pid: Pid; home: NodeId }): void {
    if (!node.roles.guests.leases.valid(home)) {
      assert(node.waking, `process ${pid} executes on node ${node.id} without a lease`);
      this.count('executed without lease');
    }
    this.checkActive(pid);
  }

  outside(node: SimNode, { pid, incarnation }: { pid: Pid; incarnation: Incarnation }): void {
    const known = this.process(pid);
    assert(incarnation >= known.outside, `an old guest of ${pid} on node ${node.id} has an effect`);
    known.outside = incarnation;
  }

  finished(pid: Pid, checksums: readonly number[]): void {
    this.process(pid).checksums = checksums;
  }

  ended(node: SimNode, pid: Pid, end: ProcessEnd): void {
    const known = this.process(pid);
    assert.equal(known.end, null, `process ${pid} ends twice`);
    known.end = end;
    this.count(end.cause);
    if (end.cause === 'lost') this.#checkLost(node, known);
  }

  // What must hold.

  checkActive(pid: Pid): void {
    const active: SimNode[] = [];
    for (const node of this.#nodes.values()) {
      const guest = node.guests.get(pid);
      if (!guest || guest.paused || (guest.phase !== 'running' && guest.phase !== 'freezing')) continue;
      if (!node.alive || node.paused || !node.roles.guests.leases.valid(guest.home)) continue;
      active.push(node);
    }
    assert(active.length <= 1, `process ${pid} runs on nodes ${active.map(({ id }) => id).join(' and ')}`);
  }

  /** A process's clock never falls behind real time: what it is told of a move covers all of it. */
  checkFrozen(pid: Pid, frozenMs: number): void {
    const really = this.clock.now() - this.process(pid).frozenAt;
    // The sum of differences of the same clock may be off by its last bits.
    assert(frozenMs > really - 1e-6, `process ${pid} is told ${frozenMs} ms of ${really} for which it stood still`);
  }

  /** Nobody whom the home can reach holds the newest state. */
  #checkLost(home: SimNode, { pid, started }: Known): void {
    for (const node of this.living) {
      if (node !== home && this.network.stateOf(home.id, node.id) !== 'up') continue;
      const guest = node.roles.guests.get(pid);
      const held = guest && guest.phase.name !== 'ended' && guest.incarnation >= started;
      assert(!held, `process ${pid} is given up while node ${node.id} holds it`);
    }
  }

  /** To be called after a long quiet time in which all nodes that live could talk. */
  checkEnd(): void {
    for (const known of this.processes.values()) if (this.#lives(known.home)) this.#checkProcess(known);
    for (const node of this.living) {
      assert.equal(node.roles.reservations, 0, `node ${node.id} keeps a reservation`);
      assert.equal(node.reservations.size, 0, `the host of node ${node.id} keeps a reservation`);
      assert.deepEqual([...node.roles.guests.values()], [], `node ${node.id} keeps guests`);
      assert.equal(node.guests.size, 0, `the host of node ${node.id} keeps guests`);
    }
    for (const { by, home, answers } of this.requests) {
      assert(answers.length <= 1, 'a request has two answers');
      assert(answers.length === 1 || !this.#lives(by) || !this.#lives(home), 'a request has no answer');
    }
  }

  #lives(node: SimNode): boolean {
    return node.alive && this.#nodes.get(node.id) === node;
  }

  #checkProcess({ pid, program, logs, checksums, killed, end }: Known): void {
    assert(end, `process ${pid} never ends`);
    if (end.cause === 'killed') assert(killed);
    else if (end.cause !== 'lost') {
      const wanted = outcome(program);
      for (const [seat, { log, checksum }] of wanted.entries()) {
        assert.deepEqual(logs[seat], log);
        assert.equal(checksums?.[seat], checksum, `process ${pid} got a wrong reply`);
      }
      assert.equal(end.status, program.status);
    }
  }
}
