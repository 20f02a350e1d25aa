/** Numbers, times and tables for people. */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { ProcessEnd } from '../node/daemon.ts';
import { signalName } from './signals.ts';

/** `1536` gives `1.5K`; at most five characters. */
export function byteSize(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T', 'P'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)}${units[unit]}`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** Milliseconds as `850ms`, `12.3s`, `4m05s` or `3h12m`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`;
}

export interface Column<Row> {
  readonly title: string;
  readonly right?: boolean;
  readonly text: (row: Row) => string;
}

/** Control characters, which would let a program's arguments move the reader's cursor, become `?`. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- finding them is the purpose
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Lines with aligned columns; no line is longer than `width`, the last column gives way. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number | null): string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ text }) => printable(text(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells.map((row) => {
    const line = row
      .map((cell, i) => (columns[i]!.right ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
    return width !== null && line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
  });
}

const UNITS: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1000, s: 1_000_000, m: 60_000_000 };

/** @returns microseconds of `20ms`, `1s`, `500us`, `1.5s`: 1 to a day. @throws GodwitError `usage` */
export function parseInterval(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(us|µs|ms|s|m)$/.exec(text) ?? [];
  const micros = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(micros >= 1)) throw new GodwitError('usage', `"${text}" is no interval; write it as 20ms, 1s or 500us`);
  if (micros > LIMITS.hopMicros) throw new GodwitError('usage', `"${text}" is too long an interval: a day is the most`);
  return micros;
}

/** The exit status of a command that stands for the process: its own, or 128 + signal, as a shell has it. */
export function exitStatus(end: ProcessEnd): number {
  return end.how === 'exited' ? end.code & 0xff : 128 + end.signal;
}

/** What to say about the end: its message, or the signal if it is not one that a user sends on purpose. */
export function endMessage(end: ProcessEnd): string | null {
  if (end.message !== null) return end.message;
  if (end.how === 'exited' || QUIET_SIGNALS.has(signalName(end.signal))) return null;
  return `ended by signal SIG${signalName(end.signal)}`;
}

const QUIET_SIGNALS: ReadonlySet<string> = new Set(['HUP', 'INT', 'PIPE', 'TERM', 'KILL']);
