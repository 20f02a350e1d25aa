/**
 * What a home does with its processes: the steps of a move, each of which leaves the process in one place, and its end.
 * When which step is due, and why, is home.ts.
 */
import type { Clock, Log, Random } from '../base/env.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Incarnation, NodeId, Pid } from '../base/ids.ts';
import { incarnation, moveId } from '../base/ids.ts';
import { hasEnded } from '../kernel/unknown.ts';
import type { HomeHost, Message, MoveResult, ProcessEnd } from './hosts.ts';
import type { Answer, Move, Process } from './move.ts';
import { commitTo, statsOf, takeBack } from './move.ts';
import { type Failure, obstacle } from './obstacle.ts';
import { TIMES } from './timing.ts';

/** 128 + SIGKILL: what a shell shows for a process that was killed, or that went down with its machine. */
const KILLED = 128 + 9;

export class Steps {
  readonly #self: NodeId;
  readonly #host: HomeHost;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #processes = new Map<Pid, Process>();
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
    this.#move = env.random.below(2 ** 31);
  }

  get(pid: Pid): Process | undefined {
    return this.#processes.get(pid);
  }

  /** All processes of this home. One that ends meanwhile is left out. */
  all(): Iterable<Process> {
    return this.#processes.values();
  }

  /** The node in words. */
  name(node: NodeId): string {
    return `node ${this.#host.nameOf(node)}`;
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
   * prepare: the target is asked to make ready; the process runs on.
   * @param answers called when the move is done, or with the reason why it is not
   */
  begin(process: Process, target: NodeId, answers: Answer[]): void {
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
        const late = `${this.name(target)} was not ready in ${TIMES.prepareMs / 1000} s`;
        this.abort(process, move, ['move_failed', `${late}; the process runs on where it was`]);
      }),
    };
    process.move = move;
    this.#host.moving(pid, target);
    const { incarnation } = process;
    this.#send(target, { frame: 'prepare', pid, move: move.id, incarnation, source, spec: this.#host.spec(pid) });
  }

  /** freeze: the target has all it needs. */
  freeze({ pid, incarnation }: Process, move: Move): void {
    move.timer?.cancel();
    move.phase = 'freeze';
    move.freezeAt = this.#clock.now();
    this.#send(move.source, { frame: 'freeze', pid, move: move.id, incarnation, destination: move.target });
  }

  /** commit: the target has the complete image, and the process is there from now on. */
  commit(process: Process, move: Move): void {
    commitTo(process, move, this.#nextIncarnation());
    this.#host.placed(process.pid, process.place, process.incarnation);
  }

  /** Before commit: it stays at the source. */
  abort(process: Process, move: Move, failure: Failure): void {
    const { pid, incarnation, stopped } = process;
    this.#send(move.target, { frame: 'give_up', pid, move: move.id });
    if (move.phase === 'freeze') this.#send(move.source, { frame: 'go_on', pid, move: move.id, incarnation, stopped });
    this.#finish(process, move, refusal(...failure));
  }

  /** The target has nothing of the process (any more), and has not run it. */
  targetGone(process: Process, move: Move, failure: Failure): void {
    const { pid, incarnation } = process;
    if (move.sourceGone) {
      const node = move.phase === 'commit' ? move.target : move.source;
      this.lost(process, node, `${failure[1]}; and ${this.name(move.source)} does not have the process any more`);
    } else if (move.phase === 'commit') {
      this.#send(move.target, { frame: 'free', pid, incarnation });
      takeBack(process, move, this.#nextIncarnation());
      this.#host.placed(pid, process.place, process.incarnation);
      const { incarnation: next, stopped } = process;
      this.#send(move.source, { frame: 'go_on', pid, move: move.id, incarnation: next, stopped });
      this.#finish(process, move, refusal(...failure));
    } else {
      this.abort(process, move, failure);
    }
  }

  /** The source has nothing of it any more. In the freeze the target may have all of it: its word is awaited. */
  sourceGone(process: Process, move: Move, reason: string): void {
    if (move.phase === 'prepare') this.lost(process, move.source, reason);
    else move.sourceGone = true;
  }

  /** The guest of the current incarnation runs: nothing of the move can be taken back any more. */
  confirm(process: Process): void {
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
    if (wish) this.begin(process, wish.target, wish.answers);
  }

  /** It ends, because the node that had the only copy does not have it any more. */
  lost(process: Process, node: NodeId, report: string): void {
    this.#log.warn('process lost', { pid: process.pid, node, reason: report });
    this.end(process, { cause: 'lost', status: KILLED, report, node });
  }

  /** It is over: whoever holds something of it drops that, whoever waits for its move hears of it. */
  end(process: Process, end: ProcessEnd): void {
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

  #nextIncarnation(): Incarnation {
    return incarnation(++this.#incarnation);
  }
}

/** The answer to a wish to move that is not fulfilled. */
export function refusal(code: ErrorCode, reason: string): MoveResult {
  return { ok: false, code, reason };
}
