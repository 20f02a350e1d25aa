/**
 * The file that a detached node's stderr goes to. It has to outlive the command that starts the node, and is beside the
 * control socket, because only its owner can look there. What is in it is of use if the node does not start, which the
 * command tells, or ends by a failure of which its own log may know nothing, such as V8's want of memory; so a node
 * that ends in order removes it.
 */
import { closeSync, fstatSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { makeSocketDirectory } from '../admin/server.ts';
import { OTHER_SOCKET, isNamedPipe } from '../admin/socket-path.ts';
import { GodwitError } from '../base/errors.ts';
import { lastWords } from './last-words.ts';
import { reasonOf } from './report.ts';

const finalPath = (socketPath: string): string => `${socketPath}.err`;

export class ErrorFile {
  /** To be given to the child as its stderr. */
  readonly fd: number;
  readonly #path: string;
  readonly #finalPath: string;

  /**
   * Of several nodes that are started on one socket each has a file of its own, until one of them is the node.
   * @throws GodwitError `io`
   */
  constructor(socketPath: string) {
    this.#finalPath = finalPath(socketPath);
    this.#path = `${socketPath}.${process.pid}.err`;
    makeSocketDirectory(path.dirname(this.#path));
    try {
      this.fd = openSync(this.#path, 'w', 0o600);
    } catch (error) {
      throw new GodwitError('io', `cannot write ${this.#path}: ${reasonOf(error)}; ${OTHER_SOCKET}`, { cause: error });
    }
  }

  /** The child has it. */
  close(): void {
    closeSync(this.fd);
  }

  /** The node is up: its file has the name that people look for. */
  keep(): void {
    renameSync(this.#path, this.#finalPath);
  }

  /** The node is not up. @returns what it said; null: nothing */
  take(): GodwitError | null {
    const words = lastWords(this.#path);
    rmSync(this.#path, { force: true });
    return words;
  }
}

/** For a node that has ended in order: removes the file, if it is this process's stderr. */
export function removeErrorFile(socketPath: string): void {
  if (isNamedPipe(socketPath)) return;
  const file = finalPath(socketPath);
  const found = statSync(file, { throwIfNoEntry: false });
  const own = fstatSync(2);
  if (found && found.ino === own.ino && found.dev === own.dev) rmSync(file, { force: true });
}
