/**
 * A command as data: its name, options, arguments and help text. Parsing, `--help` and the tests come from it.
 */
import type { Context } from './context.ts';
import type { Invocation } from './parse.ts';

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help text; absent: a flag. */
  readonly value?: string;
  readonly repeatable?: boolean;
  readonly summary: string;
}

export interface Command {
  readonly name: string;
  /** What follows the options in the usage line, as in `PID NODE|home`. */
  readonly arguments: string;
  /** Least and most arguments; `null`: any number. */
  readonly argumentCount: readonly [number, number | null];
  readonly summary: string;
  /** Paragraphs of the help text, without line breaks of their own. */
  readonly details?: readonly string[];
  readonly options: readonly Option[];
  /** Command line and what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /**
   * Ends with the status of a program: what fails in the command itself is then 125 or more, as with env(1) and
   * timeout(1), because the small numbers are the program's.
   */
  readonly hasProgramStatus?: true;
  /** Exit statuses beside 0 (done), 1 (failed) and 2 (wrong command line). */
  readonly exits?: readonly (readonly [status: string, meaning: string])[];
  /** Options end at the first argument: what follows belongs to the program that is started. */
  readonly optionsFirst?: boolean;
  /** Rewrites arguments of a form that is not an option in our sense (`kill -9`). */
  readonly prepare?: (args: readonly string[]) => readonly string[];
  /** @returns the exit status. @throws GodwitError */
  readonly run: (invocation: Invocation, context: Context) => Promise<number>;
}

export const JSON_OPTION: Option = { name: 'json', summary: 'print JSON, errors included' };

/** Options of every command. */
export const COMMON_OPTIONS: readonly Option[] = [
  { name: 'socket', value: 'PATH', summary: "the node's control socket (else GODWIT_SOCKET, else the user's own)" },
  { name: 'help', short: 'h', summary: 'show this help' },
];
