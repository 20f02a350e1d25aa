/** Rows as text for people: one aligned table, numbers to the right. */
import type { Column, Row } from './benchmark.ts';

/** @returns the column titles and the rows, one line each, the last one without a line break */
export function table(columns: readonly Column[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => cell(column, row[column.key])));
  const widths = columns.map(({ key }, i) => Math.max(key.length, ...cells.map((line) => line[i]!.length)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => (columns[i]!.digits === undefined ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ key }) => key)), ...cells.map(line)].join('\n');
}

function cell({ digits }: Column, value: Row[string] | undefined): string {
  if (value === undefined || value === null) return '-';
  return typeof value === 'string' ? value : value.toFixed(digits ?? 0);
}
