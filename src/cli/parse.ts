/** From a command's table and the words behind its name to its options and arguments. */
import { parseArgs } from 'node:util';
import { assert } from '../base/assert.ts';
import { GodwitError } from '../base/errors.ts';
import { type Command, type Option, optionsOf } from './command.ts';
import { nearest } from './suggest.ts';

/** What the user asked for, checked against the command's table. */
export class Invocation {
  /** The arguments; with `optionsFirst`, everything from the first argument on, untouched. */
  readonly args: readonly string[];
  readonly #given: ReadonlyMap<string, readonly string[]>;
  readonly #known: ReadonlySet<string>;

  constructor(known: readonly Option[], given: ReadonlyMap<string, readonly string[]>, args: readonly string[]) {
    this.#known = new Set(known.map(({ name }) => name));
    this.#given = given;
    this.args = args;
  }

  flag(name: string): boolean {
    return this.values(name).length > 0;
  }

  /** The last one counts, as with most commands. */
  value(name: string): string | undefined {
    return this.values(name).at(-1);
  }

  values(name: string): readonly string[] {
    assert(this.#known.has(name), `the option --${name} is not in the command's table`);
    return this.#given.get(name) ?? [];
  }
}

const usage = (command: Command, problem: string, help = `"godwit help ${command.name}" shows how`): GodwitError =>
  new GodwitError('usage', `${command.name}: ${problem}; ${help}`);

/** @throws GodwitError `usage` with a suggestion */
export function parseInvocation(command: Command, words: readonly string[]): Invocation {
  const options = optionsOf(command);
  const byName = new Map(options.map((option) => [option.name, option]));
  const args = [...(command.prepare?.(words) ?? words)];
  const { tokens } = parseArgs({
    args,
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      options.map((option) => [
        option.name,
        { type: option.value ? 'string' : 'boolean', ...(option.short && { short: option.short }) } as const,
      ]),
    ),
  });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') {
      if (command.optionsFirst) return checked(command, new Invocation(options, given, args.slice(token.index + 1)));
    } else if (token.kind === 'positional') {
      if (command.optionsFirst) return checked(command, new Invocation(options, given, args.slice(token.index)));
      positionals.push(token.value);
    } else {
      const option = byName.get(token.name);
      if (!option) throw unknown(command, token.rawName, options);
      if (option.value && !token.value) throw usage(command, `${token.rawName} needs a value (${option.value})`);
      if (!option.value && token.value !== undefined) throw usage(command, `${token.rawName} takes no value`);
      const values = given.get(option.name) ?? [];
      if (values.length > 0 && option.value && !option.repeatable)
        throw usage(command, `${token.rawName} is given twice`);
      given.set(option.name, [...values, token.value ?? '']);
    }
  }
  return checked(command, new Invocation(options, given, positionals));
}

function unknown(command: Command, rawName: string, options: readonly Option[]): GodwitError {
  const meant = nearest(
    rawName.replace(/^-+/, ''),
    options.map(({ name }) => name),
  );
  const problem = `unknown option ${rawName}`;
  return meant === null ? usage(command, problem) : usage(command, problem, `did you mean --${meant}?`);
}

function checked(command: Command, invocation: Invocation): Invocation {
  if (invocation.flag('help')) return invocation;
  const [least, most] = command.argumentCount;
  const count = invocation.args.length;
  if (count < least) throw usage(command, `${command.arguments.split(' ').slice(count).join(' ')} is missing`);
  if (most !== null && count > most) throw usage(command, `unexpected argument "${invocation.args[most]}"`);
  return invocation;
}
