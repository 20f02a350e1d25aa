/**
 * What a node remembers of its log and of the output of detached processes, for `godwit logs`: of each the last lines, in
 * memory, so that one process that talks much costs no other its lines. How many lines a reader has missed is told.
 */
import type { Log, LogFields } from '../base/env.ts';
import { LIMITS } from '../base/limits.ts';
import type { LogLine, LogPage, LogQuery } from './daemon.ts';
import { type Kept, KeptLines } from './kept-lines.ts';

/** Where the output of one detached process goes. */
export interface DetachedLog {
  add(level: 'stdout' | 'stderr', text: string): void;
  /** From here on it is found by the pid of the process. */
  started(pid: number): void;
  /** There is no more: it may be forgotten, after those that have ended before. */
  ended(): void;
}

export class LogBook {
  readonly #now: () => number;
  readonly #own = new KeptLines();
  /** By pid. */
  readonly #running = new Map<number, KeptLines>();
  /** By pid, those that ended first in front. */
  readonly #ended = new Map<number, KeptLines>();
  /** Of all logs. */
  #units = 0;
  readonly #waiting = new Set<() => void>();

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A line of the node's own log; `pid`: the process that it is about. */
  add(level: LogLine['level'], text: string, pid: number | null): void {
    const of = pid === null ? undefined : this.#logOf(pid);
    for (const log of of ? [this.#own, of] : [this.#own]) this.#keep(log, level, text, pid);
  }

  /** A log for the output of a process that is about to start. */
  detached(): DetachedLog {
    const log = new KeptLines();
    let owner: number | null = null;
    return {
      add: (level, text) => {
        // The last output may come behind the end, and must not count any more once the log is forgotten.
        if (owner === null || this.#logOf(owner) === log) this.#keep(log, level, text, owner);
      },
      started: (pid) => {
        owner = pid;
        // A pid may have come round again.
        this.#forget(pid);
        this.#running.set(pid, log);
      },
      ended: () => {
        if (owner !== null && this.#running.delete(owner)) this.#ended.set(owner, log);
        if (this.#ended.size > LIMITS.rememberedEnds) this.#forgetOldest();
        this.wake();
      },
    };
  }

  /** Whether there is a line about this process. */
  knows(pid: number): boolean {
    return this.#logOf(pid) !== undefined || this.#own.after(0).lines.some((line) => line.pid === pid);
  }

  /** Lets waiting readers look again: a line was added, or a process has ended. */
  wake(): void {
    for (const look of this.#waiting) look();
  }

  /**
   * @param isOver whether nothing more can come for the query's process
   * @param gone nobody waits any more for what may come: an answer, with nothing in it, comes at once
   */
  async read({ pid, after, wait }: LogQuery, isOver: () => boolean, gone?: AbortSignal): Promise<LogPage> {
    for (;;) {
      const complete = isOver();
      const page = this.#page(pid, after, complete);
      if (page.lines.length > 0 || complete || !wait || gone?.aborted === true) return page;
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#waiting.delete(look);
          gone?.removeEventListener('abort', look);
          resolve();
        };
        this.#waiting.add(look);
        gone?.addEventListener('abort', look);
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

  #logOf(pid: number): KeptLines | undefined {
    return this.#running.get(pid) ?? this.#ended.get(pid);
  }

  #keep(log: KeptLines, level: LogLine['level'], text: string, pid: number | null): void {
    const before = log.units;
    for (const piece of cut(text)) log.add({ time: this.#now(), level, text: piece }, pid);
    this.#units += log.units - before;
    if (this.#units > LIMITS.allLogsUnits) this.#shorten();
    this.wake();
  }

  /**
   * The longest gives half, so that short logs lose nothing, and those that fill are not looked through for each line.
   * Where each has a single line, those that have ended are forgotten, the oldest first; then it is taken.
   */
  #shorten(): void {
    while (this.#units > LIMITS.allLogsUnits) {
      const all = [this.#own, ...this.#running.values(), ...this.#ended.values()];
      const longest = all.reduce((a, b) => (b.units > a.units ? b : a));
      if (longest.count === 1 && this.#forgetOldest()) continue;
      const before = longest.units;
      longest.dropHalf();
      this.#units += longest.units - before;
    }
  }

  /** @returns whether there was one that has ended */
  #forgetOldest(): boolean {
    const [pid] = this.#ended.keys();
    if (pid === undefined) return false;
    this.#forget(pid);
    return true;
  }

  /** Of a process that has ended, if there is a log of it. */
  #forget(pid: number): void {
    this.#units -= this.#ended.get(pid)?.units ?? 0;
    this.#ended.delete(pid);
  }

  #page(pid: number | null, after: number, over: boolean): LogPage {
    const { missing, last, lines } = this.#behind(pid, after);
    const page = lines.slice(0, pageLength(lines));
    return {
      missing,
      lines: page.map(({ time, level, text }) => ({ time, level, text })),
      next: page.at(-1)?.number ?? after,
      last,
      complete: over && page.length === lines.length,
    };
  }

  #behind(pid: number | null, after: number): Kept {
    const log = pid === null ? this.#own : this.#logOf(pid);
    if (log) return log.after(after);
    // Of a process that is not detached there is what the node's own log says about it.
    const { last, lines } = this.#own.after(after);
    return { missing: 0, last, lines: lines.filter((line) => line.pid === pid) };
  }
}

/** How many of the lines fit into one answer: one always does. */
function pageLength(lines: readonly LogLine[]): number {
  let units = 0;
  let count = 0;
  while (count < lines.length && count < LIMITS.logPageLines && units < LIMITS.logPageUnits) {
    units += lines[count++]!.text.length;
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
