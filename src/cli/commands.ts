/** All commands, in the order of the help text. */
import type { Command } from './command.ts';
import { demo } from './commands/demo.ts';
import { down } from './commands/down.ts';
import { inspect } from './commands/inspect.ts';
import { kill } from './commands/kill.ts';
import { lab } from './commands/lab.ts';
import { logs } from './commands/logs.ts';
import { migrate } from './commands/migrate.ts';
import { nodes } from './commands/nodes.ts';
import { ps } from './commands/ps.ts';
import { rewrite } from './commands/rewrite.ts';
import { run } from './commands/run.ts';
import { token } from './commands/token.ts';
import { up } from './commands/up.ts';
import { wait } from './commands/wait.ts';

export const COMMANDS: readonly Command[] = [
  demo,
  lab,
  up,
  down,
  token,
  run,
  ps,
  nodes,
  migrate,
  kill,
  wait,
  logs,
  rewrite,
  inspect,
];
