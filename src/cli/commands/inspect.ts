/** `godwit inspect` */
import path from 'node:path';
import { ERROR_CODES, type ErrorCode } from '../../base/errors.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { type Inspection, inspect as inspectModule, readModule } from '../engine.ts';
import { byteSize, printable } from '../format.ts';

export const inspect: Command = {
  name: 'inspect',
  arguments: 'FILE.wasm',
  argumentCount: [1, 1],
  summary: 'show what the engine makes of a module: sizes, safepoints, what is refused',
  options: [JSON_OPTION],
  examples: [['godwit inspect prog.wasm', 'can it run, and what does it cost to make it movable?']],
  exits: [['126', 'the module cannot run; the reason is shown']],
  async run(invocation, context) {
    const [file = ''] = invocation.args;
    const inspection = await inspectModule(readModule(file, path.resolve(context.cwd, file)));
    if (invocation.flag('json')) context.out(JSON.stringify({ file, ...inspection }, null, 2));
    else for (const line of inspectionLines(file, inspection)) context.out(line);
    return inspection.refused ? ERROR_CODES[inspection.refused.code as ErrorCode].exit : 0;
  },
};

/** For people: a line a fact, nothing that is not there. */
function inspectionLines(file: string, inspection: Inspection): string[] {
  const { bytes, refused, imports, unknown_imports, memories, rewritten } = inspection;
  const facts: [string, string | null][] = [
    ['runs', refused ? `no: ${refused.message}` : 'yes'],
    ['size', byteSize(bytes)],
    ...memories.map(({ minimum, maximum, address }): [string, string] => [
      'memory',
      `${minimum} pages${maximum === null ? '' : `, at most ${maximum}`}${address === 'i64' ? ', 64-bit addresses' : ''}`,
    ]),
    ['imports', imports.length > 0 ? `${imports.length}, ${unknown_imports.length} of them unknown` : null],
    ['functions', rewritten && `${rewritten.functions}, ${rewritten.capturable} can be on a captured stack`],
    ['safepoints', rewritten && `${rewritten.safepoints}, ${rewritten.polls} of them polls`],
    ['rewritten', rewritten && `${byteSize(rewritten.rewritten_bytes)}, ${growth(rewritten)}`],
    ['dropped', rewritten && rewritten.dropped_sections.length > 0 ? rewritten.dropped_sections.join(', ') : null],
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  return [printable(file), ...known.map(([name, value]) => `  ${name.padEnd(11)} ${printable(value)}`)];
}

function growth({ code_bytes, rewritten_code_bytes }: NonNullable<Inspection['rewritten']>): string {
  return code_bytes === 0 ? 'no code' : `code ${(rewritten_code_bytes / code_bytes).toFixed(2)} times as large`;
}
