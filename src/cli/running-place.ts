/** Where `godwit run` runs its program: the daemon behind the control socket, or a node inside the command. */
import type { AdminClient } from '../admin/client.ts';
import { GodwitError } from '../base/errors.ts';
import type { Daemon, RunHandle, RunIo, RunSpec } from '../node/daemon.ts';
import type { Attachable } from './attached.ts';
import type { Context } from './context.ts';
import type { Invocation } from './parse.ts';

export interface RunningPlace extends Attachable {
  run(spec: RunSpec, io: RunIo): Promise<RunHandle>;
  /** For whoever wants it moved: why nothing will move; null: something may. */
  noHops(): Promise<string | null>;
  close(): void;
}

/** The node that the user named or that runs; otherwise one of our own, for this process only. */
export async function findPlace(invocation: Invocation, context: Context, detach: boolean): Promise<RunningPlace> {
  try {
    return new SocketPlace(await context.connect());
  } catch (error) {
    const absent = error instanceof GodwitError && error.code === 'no_daemon';
    const named = invocation.value('socket') ?? context.env['GODWIT_SOCKET'];
    if (!absent || named || detach) throw error;
  }
  const { startEmbedded } = await import('../node/embedded.ts');
  return new EmbeddedPlace(await startEmbedded());
}

/** The daemon behind the control socket. */
class SocketPlace implements RunningPlace {
  readonly #node: AdminClient;

  constructor(node: AdminClient) {
    this.#node = node;
  }

  run(spec: RunSpec, io: RunIo): Promise<RunHandle> {
    return this.#node.run(spec, io);
  }

  async noHops(): Promise<string | null> {
    const up = (await this.#node.nodes()).filter(({ state }) => state === 'up');
    if (up.length > 1) return null;
    return 'no other node is up, so --hop moves nothing until one joins; "godwit token" shows how';
  }

  signal(signal: number): void {
    this.#node.signal(signal);
  }

  ping(): Promise<void> {
    return this.#node.ping();
  }

  close(): void {
    this.#node.close();
  }
}

/** A node inside this command: the same as one behind a socket, as far as one program in the foreground needs it. */
class EmbeddedPlace implements RunningPlace {
  readonly #daemon: Daemon;
  #handle: RunHandle | null = null;
  /** Signals that came while the program was being made ready. */
  readonly #early: number[] = [];

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async run(spec: RunSpec, io: RunIo): Promise<RunHandle> {
    this.#handle = await this.#daemon.run(spec, io);
    for (const signal of this.#early.splice(0)) this.#handle.signal(signal);
    return this.#handle;
  }

  noHops(): Promise<string> {
    return Promise.resolve(
      'no node is running, so the program stays in this command and --hop moves nothing; try it in "godwit lab"',
    );
  }

  signal(signal: number): void {
    if (this.#handle) this.#handle.signal(signal);
    else this.#early.push(signal);
  }

  /** What runs in this very thread reacts if this is called at all, but not while the program is being made ready. */
  ping(): Promise<void> {
    return this.#handle ? Promise.resolve() : new Promise(() => {});
  }

  close(): void {
    // The command ends now, and with it everything that this node has.
  }
}
