/**
 * The home node's part: it alone decides where its processes run. Pure: frames and events in, frames and calls of
 * {@link HomeHost} out. Here is what each of them means for a process; the steps that follow are in steps.ts.
 *
 * What happens when something breaks. H is home, S source, D destination; "gone" is: restarted, given up as down with
 * all its leases run out, or it says after a lost session that it does not hold it (any more).
 *
 * | breaks            | prepare              | freeze                        | commit (at D, S keeps its copy)     | settled |
 * |-------------------|----------------------|-------------------------------|-------------------------------------|---------|
 * | D refuses, fails  | runs on at S         | S goes on                     | next incarnation, S goes on         | –       |
 * | D unreachable     | runs on at S         | S goes on, D is told to give up | wait: D may run                   | pauses at the end of its lease |
 * | D gone            | runs on at S         | S goes on; lost if S is gone  | next incarnation, S goes on; lost if S is gone | – |
 * | S refuses (stay)  | refused              | D gives up, runs on at S      | –                                   | –       |
 * | S unreachable     | wait                 | wait for D's word             | D goes on                           | pauses at the end of its lease |
 * | S gone            | lost, D gives up     | D complete: commit; else lost | D goes on                           | lost with its node |
 * | S–D lost, S fails | runs on at S         | D gives up, S goes on         | –                                   | –       |
 * | nothing from S    | –                    | D gives up after a while, S goes on | –                             | –       |
 * | D too slow        | D gives up           | as above                      | wait for D                          | –       |
 * | session H–S or H–D lost | compared again by `holdings`: what was lost on the way is repeated, else as above | | | |
 * | killed            | ends; S, D drop it   | ends; S, D drop it            | ends; S, D drop it                  | ends    |
 * | exits             | ends, D gives up     | ends, D gives up (S was not stopped yet) | counts as running, then ends | ends |
 * | H unreachable     | guests away from home pause when their lease ends; S stays frozen; D keeps a complete image, gives up an incomplete one that stops growing | | | |
 * | H gone            | S and D drop everything of its processes: they are orphans | | | |
 * | second request    | same target: joins the answer; another target: remembered as the last wish, done afterwards | | | done |
 *
 * "Lost" means that it ends with status 128+9 and a report that names the node and says what is known of it. A home is
 * "gone" for another node when it was restarted, or silent for GIVEN_UP_MS (base/timing.ts), also if it lives. At no time two guests of one process
 * run (but see migration/lease.ts on a node that was stopped as a whole), and calls and events are taken only from
 * the guest of the current incarnation.
 */
import type { Clock, Log, Random } from '../base/env.ts';
import type { Incarnation, NodeId, Pid } from '../base/ids.ts';
import { explainStay } from '../kernel/stay.ts';
import { noSuchProcess } from '../kernel/unknown.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import { Holdings } from './holdings.ts';
import type { HomeHost, Message, PeerEvent } from './hosts.ts';
import { LeaseGrants } from './lease.ts';
import { frozenMs } from './move.ts';
import type { Answer, Process } from './move.ts';
import { Steps, refusal } from './steps.ts';

export class Home {
  readonly #host: HomeHost;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #steps: Steps;
  readonly #holdings: Holdings;
  readonly #grants: LeaseGrants;
  readonly #clock: Clock;
  /** Nodes that are down, with all their leases run out. */
  readonly #givenUp = new Set<NodeId>();

  constructor(
    self: NodeId,
    host: HomeHost,
    send: (to: NodeId, message: Message) => void,
    env: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  ) {
    this.#host = host;
    this.#send = send;
    this.#clock = env.clock;
    this.#steps = new Steps(self, host, send, env);
    this.#holdings = new Holdings(this.#steps, send);
    this.#grants = new LeaseGrants(env.clock, send);
  }

  get(pid: Pid): Readonly<Process> | undefined {
    return this.#steps.get(pid);
  }

  /**
   * Whether that guest is the frozen copy at the source of a move whose target does not run yet, and so may be the only
   * one. A late report of what it has used, or a call that it has left, may still speak for it; it must not be told to stop.
   */
  needs(node: NodeId, pid: Pid, incarnation: Incarnation): boolean {
    const move = this.#steps.get(pid)?.move;
    return move?.phase === 'commit' && move.source === node && move.from === incarnation;
  }

  /** A new process, whose guest is (about to be) on this node. */
  create(pid: Pid): Incarnation {
    return this.#steps.create(pid);
  }

  /**
   * Moves a process; `answer` is called once, when it runs there, or with the reason why not. While a move is under
   * way a wish for another target is kept until its end; only the last such wish counts.
   */
  migrate(pid: Pid, target: NodeId, answer: Answer): void {
    const process = this.#steps.get(pid);
    if (!process) answer(refusal('unknown_process', noSuchProcess(pid)));
    else if (!process.move) this.#steps.begin(process, target, [answer]);
    else if (process.wish?.target === target) process.wish.answers.push(answer);
    else {
      const overtaken = process.wish?.answers ?? [];
      process.wish = null;
      if (process.move.target === target) process.move.answers.push(answer);
      else process.wish = { target, answers: [answer] };
      for (const give of overtaken) give(refusal('move_failed', 'a later request took its place'));
    }
  }

  /** Ends the process now, wherever it is. @param signal the signal's number, for the exit status */
  kill(pid: Pid, signal: number): void {
    const process = this.#steps.get(pid);
    if (process) this.#steps.end(process, { cause: 'killed', status: 128 + signal, report: null, node: process.place });
  }

  /** Stops the process or lets it go on; it stays so through moves. */
  setStopped(pid: Pid, stopped: boolean): void {
    const process = this.#steps.get(pid);
    if (!process) return;
    process.stopped = stopped;
    this.#send(process.place, { frame: 'set_stopped', pid, incarnation: process.incarnation, stopped });
  }

  // Frames of the destination.

  reserved(from: NodeId, { pid, move: id }: Named<MigrationMessage, 'reserved'>): void {
    const process = this.#steps.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from || move.phase !== 'prepare') return;
    const stay = this.#host.stayReasons(pid);
    if (stay.length > 0) {
      this.#steps.abort(process, move, ['cannot_move', explainStay(stay)]);
      return;
    }
    this.#steps.freeze(process, move);
  }

  refused(from: NodeId, { pid, move: id, reason }: Named<MigrationMessage, 'refused'>): void {
    const process = this.#steps.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from) return;
    this.#steps.targetGone(process, move, ['move_refused', `${this.#steps.name(from)} refuses the process: ${reason}`]);
  }

  ready(from: NodeId, { pid, move: id, bytes, waitedMs, usage }: Named<MigrationMessage, 'ready'>): void {
    const process = this.#steps.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from) {
      this.#send(from, { frame: 'give_up', pid, move: id });
      return;
    }
    if (move.phase === 'freeze') {
      move.imageBytes = Number(bytes);
      move.waitedMs = waitedMs;
      this.#host.usage(pid, move.source, usage);
      this.#steps.commit(process, move);
    }
    // Told again after a lost session: the order may have been lost.
    const { incarnation, stopped } = process;
    if (move.phase !== 'commit') return;
    const stoodStill = frozenMs(move, this.#clock.now());
    this.#send(from, { frame: 'commit', pid, move: id, incarnation, stopped, frozenMs: stoodStill });
  }

  running(from: NodeId, { pid, incarnation }: Named<MigrationMessage, 'running'>): void {
    const process = this.#current(from, pid, incarnation);
    if (process) this.#steps.confirm(process);
  }

  startFailed(from: NodeId, { pid, incarnation, reason }: Named<MigrationMessage, 'start_failed'>): void {
    const process = this.#current(from, pid, incarnation);
    if (process?.move?.phase === 'commit') this.#steps.targetGone(process, process.move, ['move_failed', reason]);
  }

  // Frames of the source, or of both.

  cannot(from: NodeId, { pid, move: id, reasons }: Named<MigrationMessage, 'cannot'>): void {
    const process = this.#steps.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.source !== from || move.phase !== 'freeze') return;
    this.#host.heldBy(pid, reasons);
    this.#steps.abort(process, move, ['cannot_move', explainStay(reasons)]);
  }

  failed(from: NodeId, { pid, move: id, reason }: Named<MigrationMessage, 'failed'>): void {
    const process = this.#steps.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.phase === 'commit') return;
    if (from === move.target) this.#steps.targetGone(process, move, ['move_failed', reason]);
    else if (from === move.source) this.#steps.abort(process, move, ['move_failed', reason]);
  }

  // Frames of whoever has the guest.

  ended(from: NodeId, message: Named<ProcessMessage, 'ended'>): void {
    const { pid, cause, status, report, usage } = message;
    const process = this.#current(from, pid, message.incarnation);
    if (!process) return;
    this.#host.usage(pid, from, usage);
    // It can only have ended where it ran.
    this.#steps.confirm(process);
    this.#steps.end(process, { cause, status, report, node: from });
  }

  usage(from: NodeId, { pid, incarnation, usage }: Named<ProcessMessage, 'usage'>): void {
    if (this.#current(from, pid, incarnation)) this.#host.usage(pid, from, usage);
  }

  leaseAsk(from: NodeId, message: Named<ProcessMessage, 'lease_ask'>): void {
    this.#grants.asked(from, message);
  }

  /** All that a node holds of this home's processes, after their session was lost. */
  holdings(from: NodeId, { entries }: Named<ProcessMessage, 'holdings'>): void {
    this.#holdings.compare(from, entries, 'dropped');
  }

  // What happens to the other nodes.

  peer(node: NodeId, event: PeerEvent): void {
    if (event === 'down') this.#grants.withhold(node, () => this.#giveUp(node));
    else if (event === 'reachable' || event === 'restarted') this.#grants.restore(node);
    if (event === 'restarted') {
      this.#givenUp.delete(node);
      this.#holdings.compare(node, [], 'restarted');
    }
    if (event === 'reset' && this.#givenUp.delete(node)) {
      // `reachable` follows, but first a destination on this node fails whose source that is. If it does not follow, all is as before.
      this.#expectHoldings(node);
      this.#grants.withhold(node, () => this.#giveUp(node));
    }
    if (event === 'reachable' && this.#givenUp.delete(node)) this.#expectHoldings(node);
    if (event !== 'unreachable' && event !== 'down') return;
    for (const process of this.#steps.all()) {
      const { move } = process;
      // The source has it and can go on, unless the target may be running it already, or has the only copy.
      if (move?.target !== node || move.phase === 'commit' || move.sourceGone) continue;
      this.#steps.abort(process, move, ['node_down', this.#host.silence(node)]);
    }
  }

  /** It is down, and whatever it holds of this home has paused by now. */
  #giveUp(node: NodeId): void {
    this.#givenUp.add(node);
    this.#holdings.compare(node, [], 'down');
  }

  /** A node that was given up is heard again: what it still holds it will tell first of all, so nothing is known to be gone. */
  #expectHoldings(node: NodeId): void {
    for (const { move } of this.#steps.all()) if (move?.source === node) move.sourceGone = false;
  }

  /** The process that a guest on `from` speaks for; a guest that is not current is told to stop. */
  #current(from: NodeId, pid: Pid, incarnation: Incarnation): Process | undefined {
    const process = this.#steps.get(pid);
    if (process?.place === from && process.incarnation === incarnation) return process;
    if (this.needs(from, pid, incarnation)) return undefined;
    this.#send(from, { frame: 'free', pid, incarnation });
    return undefined;
  }
}
