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
  /** It has to be given: the usage line has it among the arguments. */
  readonly required?: boolean;
  readonly summary: string;
}

export interface Command {
  readonly name: string;
  /** What follows the options in the usage line, as in `PID NODE|home`, with what is not optional in spite of its form. */
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
  /** It speaks to no node that is there: `--socket` would mean nothing. */
  readonly nodeless?: true;
  /** Options end at the first argument: what follows belongs to the program that is started. */
  readonly optionsFirst?: boolean;
  /** Rewrites arguments of a form that is not an option in our sense (`kill -9`). */
  readonly prepare?: (args: readonly string[]) => readonly string[];
  /** @returns the exit status. @throws GodwitError */
  readonly run: (invocation: Invocation, context: Context) => Promise<number>;
}

export const JSON_OPTION: Option = { name: 'json', summary: 'print JSON, errors included' };

const SOCKET_OPTION: Option = {
  name: 'socket',
  value: 'PATH',
  summary: "the node's control socket (else GODWIT_SOCKET, else the user's own)",
};
const HELP_OPTION: Option = { name: 'help', short: 'h', summary: 'show this help' };

/** The options of a command, with those that all have. */
export function optionsOf({ options, nodeless }: Pick<Command, 'options' | 'nodeless'>): readonly Option[] {
  return [...options, ...(nodeless ? [] : [SOCKET_OPTION]), HELP_OPTION];
}
