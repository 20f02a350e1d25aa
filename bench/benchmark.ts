/** What a benchmark is: a name, the columns of its rows, and a function that makes them. */

/** One measured line; the keys are those of the benchmark's columns. null: could not be measured, and why is noted. */
export type Row = Readonly<Record<string, string | number | null>>;

export interface Column {
  readonly key: string;
  /** Digits after the decimal point in the table; the JSON has the full value. Missing for text. */
  readonly digits?: number;
  /** What the column says, for --help and docs/PERFORMANCE.md. */
  readonly meaning: string;
}

export interface Context {
  /** What stands behind the benchmark's name. */
  readonly operands: readonly string[];
  /** How often each side is measured; sides take turns. */
  readonly rounds: number;
  /** The smallest sizes that still run everything: for tests, its times mean nothing. */
  readonly tiny: boolean;
  /** Aborted when the benchmark's time is over: children end, no further round begins. */
  readonly signal: AbortSignal;
  /** A line for the person who waits; never part of the result. */
  note(text: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  /** Operands for the usage line; empty if there are none. */
  readonly operands: string;
  /** Seconds after which it stops with the rows that it has. */
  readonly limit: number;
  readonly columns: readonly Column[];
  /** Yields each row as soon as it is measured. */
  run(context: Context): AsyncIterable<Row>;
}
