/**
 * The comparison of what a node holds with what this home believes that it holds: after a session was lost, when a node
 * was restarted, and when it was given up and so holds nothing.
 */
import { GIVEN_UP_MS } from '../base/timing.ts';
import type { NodeId } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { Message } from './hosts.ts';
import type { Process } from './move.ts';
import type { Failure } from './obstacle.ts';
import type { Steps } from './steps.ts';

type Holding = Named<ProcessMessage, 'holdings'>['entries'][number];

/** Why a node holds nothing of what this home believes it to hold. */
export type Absence =
  /** It answers and is as it was: it has given up what it held for a home that it did not hear. */
  | 'dropped'
  /** It was stopped, or has not been heard for so long that it was given up. */
  | 'down'
  | 'restarted';

const ABSENT: { readonly [A in Absence]: (node: string) => string } = {
  dropped: (node) =>
    `${node} has given the process up: it heard nothing of this node, the home of the process, for ${GIVEN_UP_MS / 1000} s`,
  down: (node) => `${node} was lost with the process: it is down`,
  restarted: (node) => `${node} was started anew, without the process`,
};

const GUEST_STATES: ReadonlySet<Holding['state']> = new Set(['starting', 'running', 'freezing', 'frozen', 'ended']);

export class Holdings {
  readonly #steps: Steps;
  readonly #send: (to: NodeId, message: Message) => void;

  constructor(steps: Steps, send: (to: NodeId, message: Message) => void) {
    this.#steps = steps;
    this.#send = send;
  }

  /**
   * What was lost on the way is repeated; what is not there is dealt with as the table in home.ts says.
   * @param entries all that the node holds of this home's processes
   * @param absence why anything else is not there
   */
  compare(node: NodeId, entries: readonly Holding[], absence: Absence): void {
    const held = new Map(entries.map((entry) => [entry.pid, entry]));
    for (const entry of entries) if (!this.#steps.get(entry.pid)) this.#refuse(node, entry);
    for (const process of this.#steps.all()) {
      const entry = held.get(process.pid);
      if (entry && this.#accept(process, node, entry)) continue;
      if (entry) this.#refuse(node, entry);
      this.#absent(process, node, absence);
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
    // If it cannot be frozen it goes on by itself, and then takes no `go_on` and what that says of stopping. One that starts
    // has been told of it by its `commit`, but may have missed what came behind that.
    if (entry.state === 'freezing' || entry.state === 'starting')
      this.#send(place, { frame: 'set_stopped', pid, incarnation, stopped });
    if (frozen && move?.phase === 'freeze' && move.id === entry.move) return true;
    if (move?.phase === 'freeze') {
      // It never got the order to freeze, or its `cannot` was lost, or it is still frozen for an earlier move.
      this.#steps.abort(process, move, ['move_failed', `the connection to ${this.#steps.name(place)} was lost`]);
    } else if (frozen && entry.move !== null) {
      this.#send(place, { frame: 'go_on', pid, move: entry.move, incarnation, stopped });
    }
    if (entry.state === 'running') {
      this.#steps.confirm(process);
      this.#send(place, { frame: 'set_stopped', pid, incarnation, stopped });
    }
    return true;
  }

  #refuse(node: NodeId, { pid, incarnation, move, state }: Holding): void {
    if (GUEST_STATES.has(state)) this.#send(node, { frame: 'free', pid, incarnation });
    else if (move !== null) this.#send(node, { frame: 'give_up', pid, move });
  }

  /** Whatever this home believes that the node holds of the process is not there. */
  #absent(process: Process, node: NodeId, absence: Absence): void {
    const { move, place } = process;
    const reason = ABSENT[absence](this.#steps.name(node));
    const failure: Failure = ['node_down', reason];
    if (node === move?.target) this.#steps.targetGone(process, move, failure);
    else if (node === move?.source) this.#steps.sourceGone(process, move, reason);
    else if (node === place) this.#steps.lost(process, node, reason);
  }
}
