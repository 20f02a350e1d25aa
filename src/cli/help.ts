/** Help texts from the command table. */
import { type Command, type Option, optionsOf } from './command.ts';

const WIDTH = 100;

/** Breaks text into lines of at most `width` columns; words are never cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Two columns: a term and its explanation, which is wrapped. */
function definitions(entries: readonly (readonly [string, string])[]): string[] {
  const indent = Math.min(28, Math.max(...entries.map(([term]) => term.length)) + 4);
  return entries.flatMap(([term, explanation]) => {
    const lines = wrap(explanation, WIDTH - indent).map((line) => ' '.repeat(indent) + line);
    const head = `  ${term}`;
    if (head.length + 2 > indent) return [head, ...lines];
    return [head + lines[0]!.slice(head.length), ...lines.slice(1)];
  });
}

function optionTerm({ name, short, value }: Option): string {
  return `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`;
}

function usageOption({ name, short, value, repeatable }: Option): string {
  return `[${short ? `-${short}` : `--${name}`}${value ? ` ${value}` : ''}]${repeatable ? '...' : ''}`;
}

/** The usage line, wrapped. */
function usageLines(command: Command): string[] {
  const head = `usage: godwit ${command.name} `;
  const parts = [...command.options.filter(({ required }) => !required).map(usageOption), command.arguments].filter(
    Boolean,
  );
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && head.length + last.length + 1 + part.length <= WIDTH) {
      lines[lines.length - 1] = `${last} ${part}`;
    } else lines.push(part);
  }
  return lines.length === 0
    ? [head.trimEnd()]
    : lines.map((line, i) => (i === 0 ? head : ' '.repeat(head.length)) + line);
}

/** What `godwit help COMMAND` prints. */
export function commandHelp(command: Command): string {
  const exits: readonly (readonly [string, string])[] = command.exits ?? [];
  return [
    ...usageLines(command),
    '',
    ...wrap(`${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`, WIDTH),
    ...(command.details ?? []).map((paragraph) => `\n${wrap(paragraph, WIDTH).join('\n')}`),
    '',
    'options:',
    ...definitions(
      optionsOf(command).map((option) => [
        optionTerm(option),
        option.repeatable ? `${option.summary} (repeatable)` : option.summary,
      ]),
    ),
    '',
    'examples:',
    ...command.examples.flatMap(([line, what]) => [`  ${line}`, `      ${what}`]),
    ...(exits.length > 0 ? ['', 'exit status:', ...definitions(exits)] : []),
  ].join('\n');
}

/** What `godwit --help` prints. */
export function overview(commands: readonly Command[], version: string): string {
  return [
    `godwit ${version}: makes many machines look like one computer for WebAssembly programs`,
    '',
    'usage: godwit COMMAND [OPTIONS] [ARGUMENTS]',
    '',
    'commands:',
    ...definitions(commands.map(({ name, arguments: args, summary }) => [`${name} ${args}`.trim(), summary])),
    '',
    'options:',
    ...definitions([
      ['-h, --help', 'show this help'],
      ['--version', 'show the version'],
    ]),
    '',
    '"godwit help COMMAND" or "godwit COMMAND --help" shows the options of a command, with examples.',
    'Try it without any setting up: godwit demo',
  ].join('\n');
}
