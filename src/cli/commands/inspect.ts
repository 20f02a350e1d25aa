/** `godwit inspect` */
import path from 'node:path';
import { ERROR_CODES, type ErrorCode, GodwitError } from '../../base/errors.ts';
import type { Description, FunctionDescription } from '../../capture/description/describe.ts';
import { explainStay } from '../../kernel/stay.ts';
import type { Context } from '../context.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { type Inspection, describe, inspect as inspectModule, readModule } from '../engine.ts';
import { type Column, byteSize, printable, table } from '../format.ts';
import { changes, frameLines, listing, safepointLines } from '../listing.ts';
import type { Invocation } from '../parse.ts';

export const inspect: Command = {
  name: 'inspect',
  arguments: 'FILE.wasm',
  argumentCount: [1, 1],
  nodeless: true,
  summary: 'show what the engine makes of a module: sizes, safepoints, frames, continuations, what is refused',
  details: ['Functions go by their index, their name in the module or the name of an export.'],
  options: [
    { name: 'functions', summary: 'a line a function: safepoints, the size of its frame record, the code' },
    { name: 'function', value: 'NAME', summary: 'the safepoints of one function and the layout of its frame record' },
    { name: 'code', summary: 'with --function: its code, + for what the engine adds and - for what it takes out' },
    { name: 'continuation', value: 'N', summary: 'with --function: the code that takes up a frame at safepoint N' },
    JSON_OPTION,
  ],
  examples: [
    ['godwit inspect prog.wasm', 'can it run, and what does it cost to make it movable?'],
    ['godwit inspect prog.wasm --function main --code', 'where main can be captured, and its code before and after'],
    ['godwit inspect prog.wasm --function main --continuation 0', 'what goes on when main was captured there'],
  ],
  exits: [['126', 'the module cannot run; the reason is shown']],
  async run(invocation, context) {
    const [file = ''] = invocation.args;
    const bytes = readModule(file, path.resolve(context.cwd, file));
    const which = invocation.value('function');
    if (which !== undefined) {
      showFunction(await describe(bytes), which, invocation, context);
      return 0;
    }
    if (invocation.flag('code') || invocation.flag('continuation')) {
      throw new GodwitError('usage', 'inspect: --code and --continuation need --function NAME');
    }
    const inspection = await inspectModule(bytes);
    const functions = invocation.flag('functions') && inspection.rewritten ? await allFunctions(bytes) : null;
    if (invocation.flag('json')) {
      context.out(
        JSON.stringify(
          { file: file.toWellFormed(), ...inspection, ...(functions && { functions: functions.map(row) }) },
          null,
          2,
        ),
      );
    } else {
      for (const line of inspectionLines(file, inspection)) context.out(line);
      for (const line of functions === null ? [] : table(COLUMNS, functions, context.columns)) context.out(line);
    }
    return inspection.refused ? ERROR_CODES[inspection.refused.code as ErrorCode].exit : 0;
  },
};

/** For people: a line a fact, nothing that is not there. */
function inspectionLines(file: string, inspection: Inspection): string[] {
  const { bytes, refused, stays, imports, unknown_imports, memories, rewritten } = inspection;
  const facts: [string, string | null][] = [
    ['runs', refused ? `no: ${refused.message}` : 'yes'],
    ['stays', stays && explainStay([stays])],
    ['size', byteSize(bytes)],
    ...memories.map((memory): [string, string] => ['memory', memoryText(memory)]),
    ['imports', imports.length > 0 ? `${imports.length}, ${unknown_imports.length} of them unknown` : null],
    ['functions', rewritten && `${rewritten.functions}, ${rewritten.capturable} can be on a captured stack`],
    ['safepoints', rewritten && `${rewritten.safepoints}, ${rewritten.polls} of them polls`],
    ['frames', rewritten?.largest_frame ? largest(rewritten.largest_frame) : null],
    ['rewritten', rewritten && `${byteSize(rewritten.rewritten_bytes)}, ${growth(rewritten)}`],
    ['dropped', rewritten && rewritten.dropped_sections.length > 0 ? rewritten.dropped_sections.join(', ') : null],
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  return [printable(file), ...known.map(([name, value]) => `  ${name.padEnd(11)} ${printable(value)}`)];
}

function memoryText({ minimum, maximum, address, shared }: Inspection['memories'][number]): string {
  const most = maximum === null ? '' : `, at most ${maximum}`;
  return `${minimum} page${minimum === 1 ? '' : 's'}${most}${shared ? ', shared' : ''}${address === 'i64' ? ', 64-bit addresses' : ''}`;
}

type LargestFrame = NonNullable<NonNullable<Inspection['rewritten']>['largest_frame']>;

function largest({ function: index, name, bytes }: LargestFrame): string {
  return `at most ${bytes} bytes a record, of function ${index}${name === null ? '' : ` (${name})`}`;
}

function growth({ code_bytes, rewritten_code_bytes }: NonNullable<Inspection['rewritten']>): string {
  return code_bytes === 0 ? 'no code' : `code ${(rewritten_code_bytes / code_bytes).toFixed(2)} times as large`;
}

async function allFunctions(bytes: Uint8Array): Promise<FunctionDescription[]> {
  const description = await describe(bytes);
  return Array.from(description.module.functionTypes, (_, index) => description.describe(index));
}

const COLUMNS: readonly Column<FunctionDescription>[] = [
  { title: 'INDEX', right: true, text: ({ index }) => String(index) },
  { title: 'SAFEPOINTS', right: true, text: ({ safepoints }) => String(safepoints.length) },
  { title: 'POLLS', right: true, text: ({ safepoints }) => String(safepoints.filter(isPoll).length) },
  { title: 'FRAME', right: true, text: ({ frameBytes }) => (frameBytes === 0 ? '-' : String(frameBytes)) },
  { title: 'CODE', right: true, text: ({ codeBytes, imported }) => (imported ? '-' : String(codeBytes)) },
  {
    title: 'REWRITTEN',
    right: true,
    text: ({ rewrittenCodeBytes, imported }) => (imported ? '-' : String(rewrittenCodeBytes)),
  },
  { title: 'NAME', text: ({ name }) => name ?? '' },
];

const isPoll = ({ kind }: FunctionDescription['safepoints'][number]): boolean => kind === 'entry' || kind === 'loop';

/** As `--functions --json` shows it. */
function row({ index, name, imported, safepoints, frameBytes, codeBytes, rewrittenCodeBytes }: FunctionDescription) {
  return {
    index,
    name,
    imported,
    safepoints: safepoints.length,
    polls: safepoints.filter(isPoll).length,
    frame_bytes: frameBytes,
    code_bytes: codeBytes,
    rewritten_code_bytes: rewrittenCodeBytes,
  };
}

/** Everything about one function that was asked for. */
function showFunction(description: Description, which: string, invocation: Invocation, context: Context): void {
  const index = orHint(() => description.find(which), '--functions lists them all');
  const found = description.describe(index);
  const site = invocation.value('continuation');
  if (site !== undefined && !/^\d{1,9}$/.test(site)) {
    throw new GodwitError('usage', `inspect: --continuation wants the number of a safepoint, not ${site}`);
  }
  const code = invocation.flag('code') ? changes(description.original(index), description.rewritten(index)) : null;
  const continuation =
    site === undefined
      ? null
      : listing(orHint(() => description.continuation(index, Number(site)), 'without --continuation it shows them'));
  if (invocation.flag('json')) {
    const { type, safepoints, frame } = found;
    const shown = {
      ...row(found),
      type,
      safepoints,
      frame,
      ...(code && { code }),
      ...(continuation && { continuation }),
    };
    context.out(JSON.stringify({ function: shown }, null, 2));
    return;
  }
  const show = (title: string, lines: readonly string[] | null): void => {
    if (lines === null || lines.length === 0) return;
    context.out(title);
    for (const line of lines) context.out(`  ${printable(line)}`.trimEnd());
  };
  context.out(printable(headline(found)));
  show('safepoints', safepointLines(found));
  show(`frame record, ${found.frameBytes} bytes`, frameLines(found));
  show('code', code);
  show(`continuation ${site}`, continuation);
}

/** The engine says what is not there; how to see what is, is the command's to say. */
function orHint<T>(look: () => T, hint: string): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof GodwitError) || error.code !== 'usage') throw error;
    throw new GodwitError('usage', `inspect: ${error.message}; ${hint}`, { cause: error });
  }
}

function headline({ index, name, type, safepoints, imported }: FunctionDescription): string {
  const captured = safepoints.length > 0 ? '' : ', never on a captured stack';
  const words = [`function ${index}`, name === null ? '' : `$${name}`, type].filter(Boolean).join(' ');
  return `${words}${imported ? ', imported' : ''}${captured}`;
}
