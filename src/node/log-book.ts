/**
 * What a node remembers of its log and of the output of detached processes, for `godwit logs`: the last lines, in
 * memory, each with a number that a reader goes on from.
 */
import { LIMITS } from '../base/limits.ts';
import type { Log, LogFields } from '../base/env.ts';
import type { LogLine, LogPage, LogQuery } from './daemon.ts';

/** Lines kept in all: some thousand fit a screenful of questions and a few megabytes. */
const KEPT_LINES = 10_000;

interface Entry extends LogLine {
  readonly number: number;
  readonly pid: number | null;
}

export class LogBook {
  readonly #now: () => number;
  readonly #entries: Entry[] = [];
  #last = 0;
  readonly #waiting = new Set<() => void>();

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(level: LogLine['level'], text: string, pid: number | null): void {
    for (const line of cut(text)) {
      this.#entries.push({ number: ++this.#last, time: this.#now(), level, text: line, pid });
      if (this.#entries.length > KEPT_LINES) this.#entries.shift();
    }
    this.wake();
  }

  /** Whether there is a line about this process. */
  knows(pid: number): boolean {
    return this.#entries.some((entry) => entry.pid === pid);
  }

  /** Lets waiting readers look again: a line was added, or a process has ended. */
  wake(): void {
    for (const look of this.#waiting) look();
  }

  /** @param isOver whether nothing more can come for the query's process */
  async read({ pid, after, wait }: LogQuery, isOver: () => boolean): Promise<LogPage> {
    for (;;) {
      const all = this.#entries.filter((entry) => entry.number > after && (pid === null || entry.pid === pid));
      const lines = all.slice(0, pageLength(all));
      const complete = isOver();
      if (lines.length > 0 || complete || !wait) {
        return {
          lines: lines.map(({ time, level, text }) => ({ time, level, text })),
          next: lines.at(-1)?.number ?? after,
          complete: complete && lines.length === all.length,
        };
      }
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
  }

  /** A log that also keeps its lines here. A field `pid` makes a line one about that process. */
  tee(log: Log): Log {
    const at =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (message: string, fields: LogFields = {}) => {
        log[level](message, fields);
        if (level === 'debug') return;
        const details = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
        const { pid } = fields;
        this.add(level, message + details.join(''), typeof pid === 'number' ? pid : null);
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

/** How many of the entries fit into one answer: one always does. */
function pageLength(entries: readonly Entry[]): number {
  let units = 0;
  let count = 0;
  while (count < entries.length && count < LIMITS.logPageLines && units < LIMITS.logPageUnits) {
    units += entries[count++]!.text.length;
  }
  return count;
}

/** A text in pieces that a message can hold, none of which ends in the middle of a character. */
function cut(text: string): string[] {
  if (text.length <= LIMITS.logLineUnits) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const end = at + LIMITS.logLineUnits;
    const piece = text.slice(at, isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end);
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;

/** Cuts output into lines for the book; the rest of an unfinished line comes with the next call or at the end. */
export class LineCutter {
  #rest = '';
  readonly #decoder = new TextDecoder();
  readonly #line: (text: string) => void;

  constructor(line: (text: string) => void) {
    this.#line = line;
  }

  push(bytes: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(bytes.slice(), { stream: true })).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#line(part);
    // A line without an end must not grow without end.
    if (this.#rest.length >= LIMITS.logLineUnits) this.end();
  }

  end(): void {
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
  }
}
