/** All commands, in the order of the help text. */
import type { Command } from './command.ts';
import { migrate } from './commands/migrate.ts';
import { nodes } from './commands/nodes.ts';
import { ps } from './commands/ps.ts';
import { run } from './commands/run.ts';
import { up } from './commands/up.ts';

export const COMMANDS: readonly Command[] = [up, run, ps, nodes, migrate];
