/** `godwit rewrite` */
import path from 'node:path';
import { GodwitError } from '../../base/errors.ts';
import type { Rewritten } from '../../capture/rewriting/rewrite.ts';
import { refusalCode, withAdvice } from '../../wasm/advice.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { readModule } from '../engine.ts';
import { byteSize, printable } from '../format.ts';
import { requireWritable, writeOutput } from '../output-file.ts';

export const rewrite: Command = {
  name: 'rewrite',
  arguments: 'IN.wasm -o OUT.wasm',
  argumentCount: [1, 1],
  nodeless: true,
  summary: 'write the form of a module in which it can be captured and resumed',
  details: [
    'This is what a node does by itself before it runs a program; the result is for reading, not for other engines, nor for "godwit run".',
    'OUT.wasm is another file than IN.wasm. One that is there is replaced when all is written; one with further names (hard links), an access list or attributes is written in place.',
  ],
  options: [
    { name: 'output', short: 'o', value: 'OUT.wasm', summary: 'where to write it', required: true },
    JSON_OPTION,
  ],
  examples: [['godwit rewrite prog.wasm -o out.wasm', 'then look at out.wasm with a disassembler']],
  exits: [['126', 'the file is not a module that Godwit can run, imports aside']],
  async run(invocation, context) {
    const [input = ''] = invocation.args;
    const output = invocation.value('output');
    if (output === undefined)
      throw new GodwitError('usage', 'rewrite: -o OUT.wasm is missing; "godwit help rewrite" shows how');
    const file = { what: 'the module', given: output, absolute: path.resolve(context.cwd, output) };
    const program = path.resolve(context.cwd, input);
    const bytes = readModule(input, program);
    requireWritable(file, program);
    const { module, stats } = await rewritten(input, bytes);
    writeOutput(file, module);
    if (invocation.flag('json')) {
      context.out(
        JSON.stringify(
          {
            input: input.toWellFormed(),
            output: output.toWellFormed(),
            bytes: stats.bytesBefore,
            rewritten_bytes: stats.bytesAfter,
            dropped_sections: stats.droppedSections,
          },
          null,
          2,
        ),
      );
    } else {
      context.out(
        `${output}: ${byteSize(stats.bytesAfter)} (before: ${byteSize(stats.bytesBefore)}), ${stats.sites} safepoints`,
      );
      if (stats.droppedSections.length > 0) {
        const names = stats.droppedSections.map(printable).join(', ');
        context.out(`left out, since their offsets would be wrong: ${names}`);
      }
    }
    return 0;
  },
};

async function rewritten(file: string, bytes: Uint8Array): Promise<Rewritten> {
  const { rewrite } = await import('../../capture/rewriting/rewrite.ts');
  try {
    return rewrite(bytes);
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    throw new GodwitError(refusalCode(error), `cannot rewrite ${file}: ${withAdvice(error)}`, { cause: error });
  }
}
