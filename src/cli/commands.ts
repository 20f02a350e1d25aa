/** All commands, in the order of the help text. */
import type { Command } from './command.ts';
import { down } from './commands/down.ts';
import { kill } from './commands/kill.ts';
import { lab } from './commands/lab.ts';
import { logs } from './commands/logs.ts';
import { migrate } from './commands/migrate.ts';
import { nodes } from './commands/nodes.ts';
import { ps } from './commands/ps.ts';
import { run } from './commands/run.ts';
import { token } from './commands/token.ts';
import { up } from './commands/up.ts';
import { wait } from './commands/wait.ts';

export const COMMANDS: readonly Command[] = [lab, up, down, token, run, ps, nodes, migrate, kill, wait, logs];
