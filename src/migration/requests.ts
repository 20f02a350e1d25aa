/**
 * Requests to move a process whose home is another node: the asking side, and the answering side at home. Each gets
 * exactly one answer; when the connection to the home breaks meanwhile, that the outcome is unknown.
 */
import type { Random } from '../base/env.ts';
import { ERROR_CODES } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { NodeId, Pid } from '../base/ids.ts';
import type { MigrationMessage } from '../link/frames/migration.ts';
import type { Named } from '../link/frames/process.ts';
import type { Home } from './home.ts';
import type { Message, MoveResult, PeerEvent } from './hosts.ts';
import type { Answer } from './move.ts';

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);

/** What the home says, as a frame. */
function answerFrame(ticket: number, result: MoveResult): Named<MigrationMessage, 'answer'> {
  if (!result.ok) return { frame: 'answer', ticket, code: result.code, reason: result.reason, stats: null };
  const stats = result.stats && { ...result.stats, imageBytes: BigInt(result.stats.imageBytes) };
  return { frame: 'answer', ticket, code: null, reason: '', stats };
}

function resultOf({ code, reason, stats }: Named<MigrationMessage, 'answer'>): MoveResult {
  if (code === null) return { ok: true, stats: stats && { ...stats, imageBytes: Number(stats.imageBytes) } };
  return { ok: false, code: isErrorCode(code) ? code : 'move_failed', reason };
}

export class Requests {
  readonly #home: Home;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #asked = new Map<number, { readonly home: NodeId; readonly answer: Answer }>();
  readonly #silence: (node: NodeId) => string;
  #ticket: number;

  /** @param silence says why a node does not answer */
  constructor(
    home: Home,
    send: (to: NodeId, message: Message) => void,
    random: Random,
    silence: (node: NodeId) => string,
  ) {
    this.#home = home;
    this.#silence = silence;
    this.#send = send;
    this.#ticket = random.below(2 ** 31);
  }

  /** Asks `home` to move the process. @param answer called once */
  ask(home: NodeId, pid: Pid, target: NodeId, answer: Answer): void {
    const ticket = ++this.#ticket;
    this.#asked.set(ticket, { home, answer });
    this.#send(home, { frame: 'request', ticket, pid, target });
  }

  /** At home. */
  request(from: NodeId, { ticket, pid, target }: Named<MigrationMessage, 'request'>): void {
    this.#home.migrate(pid, target, (result) => this.#send(from, answerFrame(ticket, result)));
  }

  answer(from: NodeId, message: Named<MigrationMessage, 'answer'>): void {
    const asked = this.#asked.get(message.ticket);
    if (asked?.home !== from) return;
    this.#asked.delete(message.ticket);
    asked.answer(resultOf(message));
  }

  peer(node: NodeId, event: PeerEvent): void {
    if (event === 'reachable') return;
    for (const [ticket, { home, answer }] of this.#asked) {
      if (home !== node) continue;
      this.#asked.delete(ticket);
      const reason = `whether the process moved is unknown: ${this.#silence(home)}`;
      answer({ ok: false, code: 'node_down', reason });
    }
  }
}
