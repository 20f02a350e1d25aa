/**
 * The descriptors that a guest's own thread may use without asking the kernel: host files that this daemon has open
 * for the process. The kernel's side sends changes over a message port, only while the thread is in a call or not
 * running, and then raises the table's version in the control block; the thread looks at the version before each use.
 * A process with several threads has none of them (node/guests/guest.ts).
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { DirectFile } from '../vfs/direct.ts';

/** The direct calls that the descriptor's rights allow; the others go to the kernel, which knows what to answer. */
export interface AllowedCalls {
  readonly read: boolean;
  readonly write: boolean;
  readonly seek: boolean;
  readonly tell: boolean;
}

/** One change: `shared` null means that the number has to be taken to the kernel from now on. */
export interface DescriptorChange {
  readonly fd: number;
  /** The shared bytes of the {@link DirectFile}. */
  readonly shared: SharedArrayBuffer | null;
  readonly may: AllowedCalls;
}

export interface DirectDescriptor {
  readonly file: DirectFile;
  readonly may: AllowedCalls;
}

export class DescriptorTable {
  readonly #port: MessagePort;
  readonly #version: () => number;
  readonly #entries = new Map<number, DirectDescriptor>();
  #seen = 0;

  /** @param version reads how many changes have been sent */
  constructor(port: MessagePort, version: () => number) {
    this.#port = port;
    this.#version = version;
  }

  /** The file behind a descriptor number, or undefined if the kernel has to be asked. */
  get(fd: number): DirectDescriptor | undefined {
    const version = this.#version();
    if (version !== this.#seen) this.#update(version);
    return this.#entries.get(fd);
  }

  #update(version: number): void {
    for (let received; (received = receiveMessageOnPort(this.#port)) !== undefined;) {
      const { fd, shared, may } = received.message as DescriptorChange;
      if (shared) this.#entries.set(fd, { file: new DirectFile(shared), may });
      else this.#entries.delete(fd);
    }
    this.#seen = version;
  }
}
