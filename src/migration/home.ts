/**
 * The home node's part: it alone decides where its processes run. Pure: frames and events in, frames and calls of
 * {@link HomeHost} out.
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
 * | S–D link lost     | runs on at S         | D gives up, S goes on         | –                                   | –       |
 * | nothing from S    | –                    | D gives up after a while, S goes on | –                             | –       |
 * | D too slow        | D gives up           | as above                      | wait for D                          | –       |
 * | session H–S or H–D lost | compared again by `holdings`: what was lost on the way is repeated, else as above | | | |
 * | killed            | ends; S, D drop it   | ends; S, D drop it            | ends; S, D drop it                  | ends    |
 * | exits             | ends, D gives up     | ends, D gives up (S was not stopped yet) | counts as running, then ends | ends |
 * | H unreachable     | guests away from home pause when their lease ends; S stays frozen; D keeps a complete image, gives up an incomplete one that stops growing | | | |
 * | H gone            | S and D drop everything of its processes: they are orphans | | | |
 * | second request    | same target: joins the answer; another target: remembered as the last wish, done afterwards | | | done |
 *
 * "Lost" means that it ends with status 128+9 and a report that names the node. At no time two guests of one process
 * run (but see migration/lease.ts on a node that was stopped as a whole), and calls and events are taken only from
 * the guest of the current incarnation.
 */
import type { Clock, Log, Random } from '../base/env.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Incarnation, NodeId, Pid } from '../base/ids.ts';
import { incarnation, moveId } from '../base/ids.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { HomeHost, Message, MoveResult, PeerEvent, ProcessEnd } from './hosts.ts';
import { LeaseGrants } from './lease.ts';
import type { Answer, Move, Process } from './move.ts';
import { commitTo, statsOf, takeBack } from './move.ts';
import { hasEnded, noSuchProcess } from '../kernel/unknown.ts';
import { explainStay } from '../kernel/stay.ts';
import { type Failure, obstacle } from './obstacle.ts';
import { TIMES } from './timing.ts';

type Holding = Named<ProcessMessage, 'holdings'>['entries'][number];

/** 128 + SIGKILL: what a shell shows for a process that was killed, or that went down with its machine. */
const KILLED = 128 + 9;

const GUEST_STATES: ReadonlySet<Holding['state']> = new Set(['starting', 'running', 'freezing', 'frozen', 'ended']);

export class Home {
  readonly #self: NodeId;
  readonly #host: HomeHost;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #grants: LeaseGrants;
  readonly #processes = new Map<Pid, Process>();
  /** Nodes that are down, with all their leases run out. */
  readonly #givenUp = new Set<NodeId>();
  /** One counter for all processes, so that (pid, incarnation) never returns even when a pid is given again. */
  #incarnation = 0;
  /** Starts anywhere, so that left-overs from before a restart of this node match no move of now. */
  #move: number;

  constructor(
    self: NodeId,
    host: HomeHost,
    send: (to: NodeId, message: Message) => void,
    env: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  ) {
    this.#self = self;
    this.#host = host;
    this.#send = send;
    this.#clock = env.clock;
    this.#log = env.log;
    this.#grants = new LeaseGrants(env.clock, send);
    this.#move = env.random.below(2 ** 31);
  }

  get(pid: Pid): Readonly<Process> | undefined {
    return this.#processes.get(pid);
  }

  /**
   * Whether that guest is the frozen copy at the source of a move whose target does not run yet, and so may be the only
   * one. A late report of what it has used, or a call that it has left, may still speak for it; it must not be told to stop.
   */
  needs(node: NodeId, pid: Pid, incarnation: Incarnation): boolean {
    const move = this.#processes.get(pid)?.move;
    return move?.phase === 'commit' && move.source === node && move.from === incarnation;
  }

  /** A new process, whose guest is (about to be) on this node. */
  create(pid: Pid): Incarnation {
    const first = this.#nextIncarnation();
    const process: Process = {
      pid,
      place: this.#self,
      incarnation: first,
      stopped: false,
      move: null,
      wish: null,
      frozenAs: null,
    };
    this.#processes.set(pid, process);
    this.#host.placed(pid, this.#self, first);
    return first;
  }

  /**
   * Moves a process; `answer` is called once, when it runs there, or with the reason why not. While a move is under
   * way a wish for another target is kept until its end; only the last such wish counts.
   */
  migrate(pid: Pid, target: NodeId, answer: Answer): void {
    const process = this.#processes.get(pid);
    if (!process) answer(refusal('unknown_process', noSuchProcess(pid)));
    else if (!process.move) this.#begin(process, target, [answer]);
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
    const process = this.#processes.get(pid);
    if (process) this.#end(process, { cause: 'killed', status: 128 + signal, report: null, node: process.place });
  }

  /** Stops the process or lets it go on; it stays so through moves. */
  setStopped(pid: Pid, stopped: boolean): void {
    const process = this.#processes.get(pid);
    if (!process) return;
    process.stopped = stopped;
    this.#send(process.place, { frame: 'set_stopped', pid, incarnation: process.incarnation, stopped });
  }

  // Frames of the destination.

  reserved(from: NodeId, { pid, move: id }: Named<MigrationMessage, 'reserved'>): void {
    const process = this.#processes.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from || move.phase !== 'prepare') return;
    const stay = this.#host.stayReasons(pid);
    if (stay.length > 0) {
      this.#abort(process, move, ['cannot_move', explainStay(stay)]);
      return;
    }
    move.timer?.cancel();
    move.phase = 'freeze';
    move.freezeAt = this.#clock.now();
    const { incarnation } = process;
    this.#send(move.source, { frame: 'freeze', pid, move: id, incarnation, destination: move.target });
  }

  refused(from: NodeId, { pid, move: id, reason }: Named<MigrationMessage, 'refused'>): void {
    const process = this.#processes.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from) return;
    this.#targetGone(process, move, ['move_refused', `${this.#name(from)} refuses the process: ${reason}`]);
  }

  ready(from: NodeId, { pid, move: id, bytes, waitedMs }: Named<MigrationMessage, 'ready'>): void {
    const process = this.#processes.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.target !== from) {
      this.#send(from, { frame: 'give_up', pid, move: id });
      return;
    }
    if (move.phase === 'freeze') {
      move.imageBytes = Number(bytes);
      move.waitedMs = waitedMs;
      commitTo(process, move, this.#nextIncarnation());
      this.#host.placed(pid, process.place, process.incarnation);
    }
    // Told again after a lost session: the order may have been lost.
    const { incarnation, stopped } = process;
    if (move.phase === 'commit') this.#send(from, { frame: 'commit', pid, move: id, incarnation, stopped });
  }

  running(from: NodeId, { pid, incarnation }: Named<MigrationMessage, 'running'>): void {
    const process = this.#current(from, pid, incarnation);
    if (process) this.#confirm(process);
  }

  startFailed(from: NodeId, { pid, incarnation, reason }: Named<MigrationMessage, 'start_failed'>): void {
    const process = this.#current(from, pid, incarnation);
    if (process?.move?.phase === 'commit') this.#targetGone(process, process.move, ['move_failed', reason]);
  }

  // Frames of the source, or of both.

  cannot(from: NodeId, { pid, move: id, reasons }: Named<MigrationMessage, 'cannot'>): void {
    const process = this.#processes.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.source !== from || move.phase !== 'freeze') return;
    this.#abort(process, move, ['cannot_move', explainStay(reasons)]);
  }

  failed(from: NodeId, { pid, move: id, reason }: Named<MigrationMessage, 'failed'>): void {
    const process = this.#processes.get(pid);
    const move = process?.move;
    if (!process || move?.id !== id || move.phase === 'commit') return;
    if (from === move.target) this.#targetGone(process, move, ['move_failed', reason]);
    else if (from === move.source) this.#abort(process, move, ['move_failed', reason]);
  }

  // Frames of whoever has the guest.

  ended(from: NodeId, message: Named<ProcessMessage, 'ended'>): void {
    const { pid, cause, status, report, usage } = message;
    const process = this.#current(from, pid, message.incarnation);
    if (!process) return;
    this.#host.usage(pid, from, usage);
    // It can only have ended where it ran.
    this.#confirm(process);
    this.#end(process, { cause, status, report, node: from });
  }

  usage(from: NodeId, { pid, incarnation, usage }: Named<ProcessMessage, 'usage'>): void {
    if (this.#current(from, pid, incarnation)) this.#host.usage(pid, from, usage);
  }

  leaseAsk(from: NodeId, message: Named<ProcessMessage, 'lease_ask'>): void {
    this.#grants.asked(from, message);
  }

  /** All that a node holds of this home's processes, after their session was lost. */
  holdings(from: NodeId, { entries }: Named<ProcessMessage, 'holdings'>): void {
    this.#compare(from, entries);
  }

  // What happens to the other nodes.

  peer(node: NodeId, event: PeerEvent): void {
    if (event === 'down') this.#grants.withhold(node, () => this.#giveUp(node));
    else if (event === 'reachable' || event === 'restarted') this.#grants.restore(node);
    if (event === 'restarted') {
      this.#givenUp.delete(node);
      this.#compare(node, []);
    }
    if (event === 'reachable' && this.#givenUp.delete(node)) this.#expectHoldings(node);
    if (event !== 'unreachable' && event !== 'down') return;
    for (const process of this.#processes.values()) {
      const { move } = process;
      // The source has it and can go on, unless the target may be running it already, or has the only copy.
      if (move?.target !== node || move.phase === 'commit' || move.sourceGone) continue;
      this.#abort(process, move, ['node_down', this.#host.silence(node)]);
    }
  }

  /** It is down, and whatever it holds of this home has paused by now. */
  #giveUp(node: NodeId): void {
    this.#givenUp.add(node);
    this.#compare(node, []);
  }

  /** A node that was given up is heard again: what it still holds it will tell first of all, so nothing is known to be gone. */
  #expectHoldings(node: NodeId): void {
    for (const { move } of this.#processes.values()) if (move?.source === node) move.sourceGone = false;
  }

  #nextIncarnation(): Incarnation {
    return incarnation(++this.#incarnation);
  }

  /** The process that a guest on `from` speaks for; a guest that is not current is told to stop. */
  #current(from: NodeId, pid: Pid, incarnation: Incarnation): Process | undefined {
    const process = this.#processes.get(pid);
    if (process?.place === from && process.incarnation === incarnation) return process;
    if (this.needs(from, pid, incarnation)) return undefined;
    this.#send(from, { frame: 'free', pid, incarnation });
    return undefined;
  }

  // The steps of a move.

  #begin(process: Process, target: NodeId, answers: Answer[]): void {
    const { pid, place: source } = process;
    const failure = obstacle(this.#host, this.#self, process, target);
    if (failure !== null || target === source) {
      for (const give of answers) give(failure ? refusal(...failure) : { ok: true, stats: null });
      return;
    }
    const move: Move = {
      id: moveId(++this.#move),
      source,
      target,
      from: process.incarnation,
      phase: 'prepare',
      sourceGone: false,
      startedAt: this.#clock.now(),
      freezeAt: 0,
      waitedMs: 0,
      imageBytes: 0,
      answers,
      timer: this.#clock.after(TIMES.prepareMs, () => {
        const late = `${this.#name(target)} was not ready in ${TIMES.prepareMs / 1000} s`;
        this.#abort(process, move, ['move_failed', `${late}; the process runs on where it was`]);
      }),
    };
    process.move = move;
    this.#host.moving(pid, target);
    const { incarnation } = process;
    this.#send(target, { frame: 'prepare', pid, move: move.id, incarnation, source, spec: this.#host.spec(pid) });
  }

  #name(node: NodeId): string {
    return `node ${this.#host.nameOf(node)}`;
  }

  /** Before commit: it stays at the source. */
  #abort(process: Process, move: Move, failure: Failure): void {
    const { pid, incarnation, stopped } = process;
    this.#send(move.target, { frame: 'give_up', pid, move: move.id });
    if (move.phase === 'freeze') this.#send(move.source, { frame: 'go_on', pid, move: move.id, incarnation, stopped });
    this.#finish(process, move, refusal(...failure));
  }

  /** The target has nothing of the process (any more), and has not run it. */
  #targetGone(process: Process, move: Move, failure: Failure): void {
    const { pid, incarnation } = process;
    if (move.sourceGone) {
      this.#lost(process, move.phase === 'commit' ? move.target : move.source);
    } else if (move.phase === 'commit') {
      this.#send(move.target, { frame: 'free', pid, incarnation });
      takeBack(process, move, this.#nextIncarnation());
      this.#host.placed(pid, process.place, process.incarnation);
      const { incarnation: next, stopped } = process;
      this.#send(move.source, { frame: 'go_on', pid, move: move.id, incarnation: next, stopped });
      this.#finish(process, move, refusal(...failure));
    } else {
      this.#abort(process, move, failure);
    }
  }

  /** The source has nothing of it any more. In the freeze the target may have all of it: its word is awaited. */
  #sourceGone(process: Process, move: Move): void {
    if (move.phase === 'prepare') this.#lost(process, move.source);
    else move.sourceGone = true;
  }

  /** The guest of the current incarnation runs: nothing of the move can be taken back any more. */
  #confirm(process: Process): void {
    const { pid, move } = process;
    process.frozenAs = null;
    if (move?.phase !== 'commit') return;
    this.#send(move.source, { frame: 'free', pid, incarnation: move.from });
    this.#finish(process, move, { ok: true, stats: statsOf(move, this.#clock.now()) });
  }

  #finish(process: Process, move: Move, result: MoveResult): void {
    move.timer?.cancel();
    process.move = null;
    this.#host.moving(process.pid, null);
    if (result.ok && result.stats) this.#host.moved(process.pid, result.stats);
    const { wish } = process;
    process.wish = null;
    for (const give of move.answers) give(result);
    if (wish) this.#begin(process, wish.target, wish.answers);
  }

  #lost(process: Process, node: NodeId): void {
    this.#log.warn('process lost with its node', { pid: process.pid, node });
    this.#end(process, {
      cause: 'lost',
      status: KILLED,
      report: `${this.#name(node)} was lost with the process`,
      node,
    });
  }

  #end(process: Process, end: ProcessEnd): void {
    const { pid, incarnation, move, wish } = process;
    this.#processes.delete(pid);
    this.#send(process.place, { frame: 'free', pid, incarnation });
    if (move) {
      move.timer?.cancel();
      if (move.phase === 'commit') this.#send(move.source, { frame: 'free', pid, incarnation });
      else this.#send(move.target, { frame: 'give_up', pid, move: move.id });
    }
    this.#host.ended(pid, end);
    for (const give of [...(move?.answers ?? []), ...(wish?.answers ?? [])]) {
      give(refusal('unknown_process', hasEnded(pid)));
    }
  }

  // The comparison of what a node holds with what this home believes that it holds.

  #compare(node: NodeId, entries: readonly Holding[]): void {
    const held = new Map(entries.map((entry) => [entry.pid, entry]));
    for (const entry of entries) if (!this.#processes.has(entry.pid)) this.#refuse(node, entry);
    for (const process of this.#processes.values()) {
      const entry = held.get(process.pid);
      if (entry && this.#accept(process, node, entry)) continue;
      if (entry) this.#refuse(node, entry);
      this.#absent(process, node);
    }
  }

  /** @returns true if the entry is what this home expects of the node; then what was lost on the way is repeated */
  #accept(process: Process, node: NodeId, entry: Holding): boolean {
    const { move } = process;
    if (!GUEST_STATES.has(entry.state)) {
      // `reserved` and `ready` are told again by the node itself, behind this list.
      return move?.target === node && move.id === entry.move;
    }
    if (node === process.place) return this.#acceptGuest(process, entry);
    if (move?.phase !== 'commit' || node !== move.source || entry.incarnation !== move.from) return false;
    move.sourceGone = entry.state !== 'frozen';
    return !move.sourceGone;
  }

  #acceptGuest(process: Process, entry: Holding): boolean {
    const { pid, incarnation, stopped, move, place } = process;
    const frozen = entry.state === 'frozen' || entry.state === 'freezing';
    if (entry.incarnation !== incarnation && !(frozen && entry.incarnation === process.frozenAs)) return false;
    if (move && move.phase !== 'commit') move.sourceGone = false;
    if (frozen && move?.phase === 'freeze' && move.id === entry.move) return true;
    if (move?.phase === 'freeze') {
      // It never got the order to freeze, or its `cannot` was lost, or it is still frozen for an earlier move.
      this.#abort(process, move, ['move_failed', `the connection to ${this.#name(place)} was lost`]);
    } else if (frozen && entry.move !== null) {
      this.#send(place, { frame: 'go_on', pid, move: entry.move, incarnation, stopped });
    }
    if (entry.state === 'running') {
      this.#confirm(process);
      this.#send(place, { frame: 'set_stopped', pid, incarnation, stopped });
    }
    return true;
  }

  #refuse(node: NodeId, { pid, incarnation, move, state }: Holding): void {
    if (GUEST_STATES.has(state)) this.#send(node, { frame: 'free', pid, incarnation });
    else if (move !== null) this.#send(node, { frame: 'give_up', pid, move });
  }

  /** Whatever this home believes that the node holds of the process is not there. */
  #absent(process: Process, node: NodeId): void {
    const { move, place } = process;
    const failure: Failure = ['node_down', `${this.#name(node)} was lost`];
    if (node === move?.target) this.#targetGone(process, move, failure);
    else if (node === move?.source) this.#sourceGone(process, move);
    else if (node === place) this.#lost(process, node);
  }
}

function refusal(code: ErrorCode, reason: string): MoveResult {
  return { ok: false, code, reason };
}
