/**
 * A cluster on this machine for trying things out, for tests and for the demonstration: daemons as separate
 * operating-system processes on loopback, all state in a temporary directory, nothing left behind.
 */
import path from 'node:path';
import { connectAdmin } from '../../admin/client.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { JoinToken } from '../../node/daemon.ts';
import { godwitCommand } from '../self.ts';
import { LabDirectory } from './directory.ts';
import { ENDED_IN_ORDER, type NodeProcess, startNodeProcess } from './node-process.ts';

export interface LabOptions {
  readonly nodes: number;
  readonly env: NodeJS.ProcessEnv;
  /** How a node is started; for tests. */
  readonly command?: (args: readonly string[]) => readonly [string, readonly string[]];
  /** Told when a node ends that nobody ended, or does not end in order. */
  readonly lost?: (name: string, how: string) => void;
}

/** How a node joins the first one. */
interface Joining {
  readonly address: string;
  readonly token: Promise<string>;
}

export class Lab {
  readonly nodes: NodeProcess[] = [];
  readonly #directory: LabDirectory;
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #options: LabOptions;
  #stopping: Promise<void> | null = null;
  #killed = false;

  private constructor(options: LabOptions, directory: LabDirectory) {
    this.#options = options;
    this.#directory = directory;
  }

  /**
   * Starts the nodes `node1`, `node2`, ... and waits until all are members.
   * @param interrupted ends what has been started so far, and the waiting with it
   * @throws GodwitError if one does not start; nothing is left then
   */
  static async start(options: LabOptions, interrupted?: AbortSignal): Promise<Lab> {
    const lab = new Lab(options, await LabDirectory.make(`node${LIMITS.labNodes}.sock`));
    const abort = (): void => void lab.stop();
    interrupted?.addEventListener('abort', abort);
    try {
      if (interrupted?.aborted) abort();
      const first = await lab.#start(1, null);
      let last = Promise.resolve(first);
      const started = [last];
      // All at once, but one joins after the other, so that ids follow names.
      for (let number = 2; number <= options.nodes; number++) {
        const token = last.then(async () => (await joinToken(first)).token);
        // Whoever is not started does not want it.
        token.catch(() => {});
        last = lab.#start(number, { address: first.ready.address, token });
        started.push(last);
      }
      lab.nodes.push(...(await Promise.all(started)));
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    } finally {
      interrupted?.removeEventListener('abort', abort);
    }
  }

  /** Where everything of it is, while it lives. */
  get directory(): string {
    return this.#directory.path;
  }

  /** The control socket of the first node. */
  get socketPath(): string {
    return this.#socketOf('node1');
  }

  /** Ends all nodes, kills those that do not, and removes the directory. A second call joins the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** For the impatient: no node gets time to leave in order. */
  kill(): void {
    this.#killed = true;
    for (const node of this.nodes) node.kill();
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
    this.#directory.remove();
  }

  #socketOf(name: string): string {
    return process.platform === 'win32'
      ? `\\\\.\\pipe\\${path.basename(this.directory)}-${name}`
      : path.join(this.directory, `${name}.sock`);
  }

  async #start(number: number, join: Joining | null): Promise<NodeProcess> {
    if (this.#stopping) throw new GodwitError('internal', 'interrupted');
    const name = `node${number}`;
    const args = ['up', '--json', '--attended', '--name', name, '--listen', '127.0.0.1:0'];
    args.push('--state', path.join(this.directory, name), '--socket', this.#socketOf(name));
    if (join) args.push('--join', join.address, '--token', '-');
    const { command = godwitCommand, env } = this.#options;
    const logFile = path.join(this.directory, `${name}.log`);
    const stop = (end: () => Promise<void>): void => void this.#stops.push(end);
    const node = await startNodeProcess(name, command(args), env, join && join.token, logFile, stop);
    void this.#watch(node);
    return node;
  }

  async #watch({ name, ended, lastWords }: NodeProcess): Promise<void> {
    const how = await ended;
    if (this.#killed || (this.#stopping && how === ENDED_IN_ORDER)) return;
    const words = lastWords();
    this.#options.lost?.(name, words === null ? how : `${how}: ${words}`);
  }
}

/** One for each node: a token is good for one. */
async function joinToken(node: NodeProcess): Promise<JoinToken> {
  const client = await connectAdmin(node.ready.socket);
  try {
    return await client.token();
  } finally {
    client.close();
  }
}
