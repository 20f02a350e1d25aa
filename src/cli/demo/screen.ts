/** The demonstration's picture: pure functions from what was seen to lines, and the terminal around them. */
import { byteSize, duration, printable } from '../format.ts';
import type { Row, Story } from './story.ts';

const EVENTS_SHOWN = 8;
const BAR = 20;
/** For terminals that do not know their size and say 0. */
const USUAL_ROWS = 24;
const USUAL_COLUMNS = 80;

const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`;
const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`;

/** Colours by position of the node, so that the eye can follow a process. */
const COLOURS = [36, 33, 35, 32, 34, 31];
const colour = (index: number, text: string): string => `\u001b[${COLOURS[index % COLOURS.length]}m${text}\u001b[39m`;

/** Lines of the picture, with colours; none is wider than `columns` as shown. */
export function picture(story: Story, elapsedMs: number, totalMs: number, given: number): string[] {
  const columns = given || USUAL_COLUMNS;
  const filled = Math.min(BAR, Math.round((elapsedMs / totalMs) * BAR));
  const head = `${bold('godwit demo')}  ${'━'.repeat(filled)}${dim('─'.repeat(BAR - filled))}  ${duration(elapsedMs)}  ${story.moves} moves`;
  return [
    head,
    '',
    ...nodeLines(story, columns),
    '',
    ...processLines(story, columns),
    '',
    ...story.events.slice(-EVENTS_SHOWN).map(({ at, text }) => dim(cut(`${seconds(at)}  ${text}`, columns))),
  ];
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(5)}s`;

/** By characters: everything cut here is plain. */
const cut = (text: string, columns: number): string => {
  const clean = printable(text);
  return clean.length > columns ? `${clean.slice(0, Math.max(0, columns - 1))}…` : clean;
};

function nodeLines({ nodes }: Story, columns: number): string[] {
  const width = Math.max(4, ...nodes.map(({ name }) => name.length));
  return nodes.map(({ name, arch, os, state, load, processes, memory_free }, i) => {
    const facts = `${state.padEnd(11)} ${os}/${arch}  load ${load.toFixed(2)}  ${processes} processes  ${byteSize(memory_free)} free`;
    return `${colour(i, name.padEnd(width))}  ${cut(facts, columns - width - 2)}`;
  });
}

const FIXED = 44;

function processLines(story: Story, columns: number): string[] {
  const lane = Math.max(3, Math.min(9, Math.floor((columns - FIXED) / Math.max(1, story.nodes.length))));
  const names = story.nodes.map(({ name }) => name.slice(0, lane - 1).padEnd(lane)).join('');
  const head = `${'PID'.padStart(8)}  ${'JOB'.padEnd(8)} ${'STATE'.padEnd(9)} ${'CPU'.padStart(6)} ${'MOVES'.padStart(5)}   ${names}`;
  return [bold(head.slice(0, columns)), ...[...story.rows.values()].map((row) => processLine(row, story, lane))];
}

function processLine(row: Row, story: Story, lane: number): string {
  const facts = [
    String(row.pid).padStart(8),
    ` ${row.job.padEnd(8)}`,
    (row.pinned ? 'pinned' : row.state).padEnd(9),
    duration(row.cpuMs).padStart(6),
    String(row.moves).padStart(5),
  ].join(' ');
  const lanes = story.nodes.map(({ id }, i) => {
    const here = id === row.node;
    return here ? colour(i, (row.pinned ? '▪' : '●').padEnd(lane)) : dim('·'.padEnd(lane));
  });
  return `${facts}   ${lanes.join('')}`;
}

/** What the screen needs of process.stdout. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

/** Draws pictures over one another. The cursor is hidden until `close`. */
export class Screen {
  readonly #terminal: Terminal;
  #drawn = 0;
  #open = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Lines that the window has no room for are left out at the end: scrolling would smear the picture. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(1, (this.#terminal.rows || USUAL_ROWS) - 1));
    const home = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r` : '';
    const hide = this.#open ? '' : '\u001b[?25l';
    // Each line is cleared behind its text, and everything below the last one.
    this.#terminal.write(`${hide}${home}${shown.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.#open = true;
    this.#drawn = shown.length;
  }

  /** Leaves the last picture and gives the cursor back. Harmless if nothing was drawn. */
  close(): void {
    if (this.#open) this.#terminal.write('\u001b[?25h');
    this.#open = false;
    this.#drawn = 0;
  }
}
