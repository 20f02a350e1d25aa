/**
 * Questions between nodes: what can be asked, as a table, and both ends. A question gets exactly one answer: the
 * peer's, or `node_down` when the peer cannot be reached or what was under way is lost.
 */
import { ByteReader } from '../../base/bytes.ts';
import type { Log } from '../../base/env.ts';
import { ERROR_CODES, type ErrorCode, GodwitError, requestFailure } from '../../base/errors.ts';
import type { NodeId } from '../../base/ids.ts';
import { amount, type Codec, decode, encode, list, str, struct, u32, u8 } from '../../base/schema.ts';
import type { FrameOf } from '../../link/frames.ts';
import { joinToken, processEnd, processInfo } from './codecs.ts';

const question = <A, R>(args: Codec<A>, result: Codec<R>) => ({ args, result });
const nothing = struct({});

const QUESTION_BODIES = {
  /** The processes whose home is the peer. */
  processes: question(nothing, list(processInfo)),
  /** What only the peer knows of itself. */
  status: question(
    nothing,
    struct({ arch: str, os: str, cpus: u32, load: amount, memory_total: amount, memory_free: amount, processes: u32 }),
  ),
  kill: question(struct({ pid: u32, signal: u8 }), nothing),
  wait: question(struct({ pid: u32 }), processEnd),
  /** A join token; only the founding node makes them. */
  token: question(nothing, joinToken),
} as const;

export type QuestionName = FrameOf<'ask'>['what'];
type Bodies = typeof QUESTION_BODIES;
type Read<C> = C extends Codec<infer T> ? T : never;
export type QuestionArgs<N extends QuestionName> = Read<Bodies[N]['args']>;
export type QuestionResult<N extends QuestionName> = Read<Bodies[N]['result']>;

/** How this node answers. */
export type Answers = { readonly [N in QuestionName]: (args: QuestionArgs<N>) => Promise<QuestionResult<N>> };

type QuestionFrame = FrameOf<'ask'> | FrameOf<'told'> | FrameOf<'ask_failed'>;

/** Questions whose answer is of no use to anyone if the peer takes its time: they fail as soon as it is unreachable. */
const IMPATIENT: ReadonlySet<QuestionName> = new Set(['processes', 'status', 'token']);

/** Whether a question fails as soon as its node is unreachable; the others wait until it answers or is given up. */
export const isImpatient = (what: QuestionName): boolean => IMPATIENT.has(what);

interface Asked {
  readonly node: NodeId;
  readonly impatient: boolean;
  readonly told: (body: Uint8Array) => void;
  readonly failed: (error: GodwitError) => void;
}

/** The codecs of a question; the table's entry for N is typed by N, which indexing with a type parameter loses. */
function bodyOf<N extends QuestionName>(what: N): { args: Codec<QuestionArgs<N>>; result: Codec<QuestionResult<N>> } {
  return QUESTION_BODIES[what] as unknown as { args: Codec<QuestionArgs<N>>; result: Codec<QuestionResult<N>> };
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);

export class Questions {
  readonly #send: (to: NodeId, frame: QuestionFrame) => void;
  readonly #answers: Answers;
  readonly #log: Log;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  constructor(send: (to: NodeId, frame: QuestionFrame) => void, answers: Answers, log: Log) {
    this.#send = send;
    this.#answers = answers;
    this.#log = log;
  }

  /** @throws GodwitError what the peer says, or `node_down` */
  async ask<N extends QuestionName>(node: NodeId, what: N, args: QuestionArgs<N>): Promise<QuestionResult<N>> {
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const codecs = bodyOf(what);
    const body = await new Promise<Uint8Array>((told, failed) => {
      this.#asked.set(id, { node, impatient: isImpatient(what), told, failed });
      this.#send(node, { frame: 'ask', id, what, body: encode(codecs.args, args) });
    });
    return decode(codecs.result, new ByteReader(body));
  }

  /** @throws GodwitError `protocol` */
  receive(from: NodeId, frame: QuestionFrame): void {
    if (frame.frame === 'ask') {
      const { id, what } = frame;
      void this.#answer(from, id, what, decode(bodyOf(what).args, new ByteReader(frame.body.slice())));
      return;
    }
    const asked = this.#asked.get(frame.id);
    if (asked?.node !== from) return;
    this.#asked.delete(frame.id);
    if (frame.frame === 'told') asked.told(frame.body.slice());
    else asked.failed(new GodwitError(isErrorCode(frame.code) ? frame.code : 'internal', frame.reason));
  }

  /** The node does not answer, but may again: only patient questions wait on. */
  unreachable(node: NodeId, reason: string): void {
    this.#fail(node, reason, ({ impatient }) => impatient);
  }

  /** Whatever was asked of this node will not be answered. */
  lost(node: NodeId, reason: string): void {
    this.#fail(node, reason, () => true);
  }

  #fail(node: NodeId, reason: string, which: (asked: Asked) => boolean): void {
    for (const [id, asked] of this.#asked) {
      if (asked.node !== node || !which(asked)) continue;
      this.#asked.delete(id);
      asked.failed(new GodwitError('node_down', reason));
    }
  }

  async #answer<N extends QuestionName>(to: NodeId, id: number, what: N, args: QuestionArgs<N>): Promise<void> {
    try {
      const result = await this.#answers[what](args);
      this.#send(to, { frame: 'told', id, body: encode(bodyOf(what).result, result) });
    } catch (error) {
      const { code, message } = requestFailure(error, this.#log, `${what} of node ${to}`);
      this.#send(to, { frame: 'ask_failed', id, code, reason: message });
    }
  }
}
