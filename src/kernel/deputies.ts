/** The deputies of all processes whose home is this node. */
import type { Incarnation, NodeId, Pid } from '../base/ids.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { Execute } from './deputy.ts';
import { Deputy } from './deputy.ts';

export class Deputies {
  readonly #send: (to: NodeId, message: ProcessMessage) => void;
  readonly #deputies = new Map<Pid, Deputy>();

  constructor(send: (to: NodeId, message: ProcessMessage) => void) {
    this.#send = send;
  }

  get(pid: Pid): Deputy | undefined {
    return this.#deputies.get(pid);
  }

  /** For a new process. */
  open(pid: Pid, node: NodeId, incarnation: Incarnation, execute: Execute): Deputy {
    const deputy = new Deputy(pid, node, incarnation, execute, this.#send);
    this.#deputies.set(pid, deputy);
    return deputy;
  }

  /** The process has ended. */
  close(pid: Pid): void {
    this.#deputies.get(pid)?.close();
    this.#deputies.delete(pid);
  }

  /** A call of a guest elsewhere. A guest of no process here must stop. */
  call(from: NodeId, message: Named<ProcessMessage, 'call'>): void {
    const { pid, incarnation } = message;
    const deputy = this.#deputies.get(pid);
    if (deputy) deputy.call(from, message);
    else this.#send(from, { frame: 'free', pid, incarnation });
  }
}
