/** A guest that a benchmark starts on the first node of a lab and moves about. */
import { connectAdmin } from '../../src/admin/client.ts';
import type { AdminClient } from '../../src/admin/client.ts';
import type { Lab } from '../../src/cli/lab/lab.ts';
import type { MoveResult, RunSpec } from '../../src/node/daemon.ts';
import { Conversation } from './conversation.ts';

const SIGKILL = 9;

export class Guest implements AsyncDisposable {
  readonly #client: AdminClient;
  readonly #conversation: Conversation;
  readonly #pid: number;
  /** Rejects when the guest ends, which none does by itself. */
  readonly #end: Promise<never>;

  private constructor(client: AdminClient, conversation: Conversation, pid: number, end: Promise<never>) {
    this.#client = client;
    this.#conversation = conversation;
    this.#pid = pid;
    this.#end = end;
  }

  static async start(lab: Lab, file: string, args: readonly string[]): Promise<Guest> {
    const client = await connectAdmin(lab.socketPath);
    const conversation = new Conversation();
    const handle = await client.run(specOf(file, args), conversation.io);
    const end = handle.ended.then(({ end }) => {
      throw new Error(`the guest ended: ${JSON.stringify(end)}`);
    });
    end.catch(() => {});
    return new Guest(client, conversation, handle.pid, end);
  }

  /** Gives it a line of input, if any, and waits for a line of output. */
  async ask(line?: string): Promise<string> {
    if (line !== undefined) this.#conversation.say(line);
    return Promise.race([this.#conversation.hear(), this.#end]);
  }

  async move(target: string): Promise<MoveResult> {
    return Promise.race([this.#client.migrate(this.#pid, target), this.#end]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.kill(this.#pid, SIGKILL);
    await this.#end.catch(() => {});
    this.#client.close();
  }
}

/** A program without directories or environment. */
export function specOf(program: string, args: readonly string[]): RunSpec {
  return {
    program,
    args: ['program', ...args],
    env: [],
    cwd: '/',
    umask: process.umask(),
    dirs: [],
    listen: [],
    pin: false,
    detach: false,
    hopMicros: null,
    node: null,
  };
}
