/** `godwit token` */
import { type Command, JSON_OPTION } from '../command.ts';
import { withNode } from '../context.ts';
import { joinLine, joinNote } from '../join-line.ts';

export const token: Command = {
  name: 'token',
  arguments: '',
  argumentCount: [0, 0],
  summary: 'print a new join token and the line to use it',
  details: ['A token lets one machine join, once, within ten minutes.'],
  options: [JSON_OPTION],
  examples: [['godwit token', 'then run the line that it prints on the machine that is to join']],
  async run(invocation, context) {
    const join = await withNode(context, (node) => node.token());
    if (invocation.flag('json')) {
      context.out(JSON.stringify({ ...join, line: joinLine(join) }, null, 2));
    } else {
      context.out(joinLine(join));
      context.out(`token ${join.token}, good until ${new Date(join.expires).toISOString()}`);
      const { who, note } = joinNote(join);
      if (note !== null) context.out(`for ${who}, ${note}`);
    }
    return 0;
  },
};
