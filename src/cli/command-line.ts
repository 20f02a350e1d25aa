/** A command line: finds the command in the table, carries it out, tells what went wrong. */
import { readFileSync } from 'node:fs';
import { connectAdmin } from '../admin/client.ts';
import { controlSocketPath } from '../admin/socket-path.ts';
import { ERROR_CODES, GodwitError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import type { Context } from './context.ts';
import { commandHelp, overview } from './help.ts';
import { type Invocation, parseInvocation } from './parse.ts';
import { asGodwitError, errorJson, errorLine } from './report.ts';
import { nearest } from './suggest.ts';
import type { Given } from './words.ts';

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  if (name.startsWith('-')) {
    throw new GodwitError(
      'usage',
      `unknown option ${name}; options stand behind the command, "godwit --help" names them`,
    );
  }
  const meant = nearest(
    name,
    COMMANDS.map(({ name }) => name),
  );
  const hint = meant ? `did you mean "${meant}"?` : '"godwit --help" names them all';
  throw new GodwitError('usage', `unknown command "${name}"; ${hint}`);
}

function makeContext({ nodeless }: Command, invocation: Invocation, given: Given): Context {
  const socketPath = controlSocketPath(nodeless ? undefined : invocation.value('socket'), process.env);
  return {
    get env() {
      return given.environment();
    },
    get cwd() {
      return currentDirectory(given);
    },
    socketPath,
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    get columns() {
      // Some terminals do not know their size and say 0.
      return process.stdout.isTTY ? process.stdout.columns || null : null;
    },
    connect: () => connectAdmin(socketPath),
  };
}

/** Asked for only by the commands that need it: `ps` works in a directory that has been removed, too. */
function currentDirectory(given: Given): string {
  try {
    return given.directory();
  } catch (error) {
    throw new GodwitError('io', 'the current directory is not there any more; change to another one', { cause: error });
  }
}

async function dispatch(name: string | undefined, words: readonly string[], given: Given): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && words.length === 0)) {
    const text = `${overview(COMMANDS, version())}\n`;
    if (name !== undefined) process.stdout.write(text);
    else process.stderr.write(text);
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    process.stdout.write(`godwit ${version()}\n`);
    return 0;
  }
  if (name === 'help') {
    process.stdout.write(`${commandHelp(findCommand(words[0]!))}\n`);
    return 0;
  }
  const command = findCommand(name);
  const invocation = parseInvocation(command, words);
  if (invocation.flag('help')) {
    process.stdout.write(`${commandHelp(command)}\n`);
    return 0;
  }
  return command.run(invocation, makeContext(command, invocation, given));
}

/**
 * Carries out a command.
 * @returns the exit status
 */
export async function commandLine(given: Given): Promise<number> {
  const [name, ...words] = given.words();
  try {
    return await dispatch(name, words, given);
  } catch (error) {
    const known = asGodwitError(error);
    // A bug of ours: with its stack, so that it can be reported.
    if (!known) {
      process.stderr.write(`godwit: internal error: ${error instanceof Error ? error.stack : String(error)}\n`);
      return 125;
    }
    const command = COMMANDS.find((command) => command.name === name);
    const json = wantsJson(command, words);
    process.stderr.write(`${json ? errorJson(known) : errorLine(known)}\n`);
    return command?.hasProgramStatus ? Math.max(known.exitStatus, ERROR_CODES.internal.exit) : known.exitStatus;
  }
}

/** Also when the rest of the command line is wrong. Words behind a program's name are the program's. */
function wantsJson(command: Command | undefined, words: readonly string[]): boolean {
  const knows = command?.options.some(({ name }) => name === 'json') ?? false;
  return knows && !command?.optionsFirst && words.includes('--json');
}
