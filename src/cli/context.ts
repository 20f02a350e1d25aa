/** What a command gets of its surroundings: tests give their own. */
import type { AdminClient } from '../admin/client.ts';

export interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The control socket that this command is to use, whether or not it exists. */
  readonly socketPath: string;
  /** To stdout, with its own newline. */
  readonly out: (text: string) => void;
  /** To stderr, with its own newline. */
  readonly err: (text: string) => void;
  /** Columns that a table may take; null: no terminal, as wide as it likes. */
  readonly columns: number | null;
  /** The node's control socket. @throws GodwitError `no_daemon` */
  readonly connect: () => Promise<AdminClient>;
}

/** Carries `use` out with a connection to the node, which is closed afterwards. */
export async function withNode<T>(context: Context, use: (node: AdminClient) => Promise<T>): Promise<T> {
  const node = await context.connect();
  try {
    return await use(node);
  } finally {
    node.close();
  }
}
