/**
 * The baseline of `homecall` and `migrate`: two Node processes and one TLS connection on loopback, with nothing of
 * Godwit between them but its certificates and settings: mutual TLS 1.3, no Nagle delay.
 *
 * One exchange is a request of so many bytes and a reply of so many bytes. Small and equal, it is a ping-pong; a large
 * request with a short reply is a bulk transfer, timed until the other side has all of it.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { assert } from '../../src/base/assert.ts';
import { makeIdentity } from './certificate.ts';
import { HEADER_BYTES, type Ready } from './server.ts';
import { TLS_SETTINGS } from './settings.ts';

/** Bytes of one write of a bulk transfer, as Godwit's image frames have. */
const CHUNK_BYTES = 256 * 1024;

export class TlsPeer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #socket: TLSSocket;
  /** Reply bytes that are still to come, and what to do then. */
  #missing = 0;
  #done: (() => void) | undefined;

  private constructor(child: ChildProcess, socket: TLSSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#missing -= data.length;
      if (this.#missing === 0) this.#done?.();
    });
  }

  /** Starts the other process and connects. @param signal ends the other process when aborted */
  static async start(signal: AbortSignal): Promise<TlsPeer> {
    const identity = makeIdentity();
    const child = fork(new URL('server.ts', import.meta.url), { signal, execArgv: ['--no-warnings'] });
    child.on('error', () => undefined);
    child.send(identity);
    const [{ port }] = (await once(child, 'message', { signal })) as [Ready];
    const socket = connect({
      host: '127.0.0.1',
      port,
      ...TLS_SETTINGS,
      ...identity,
      // The certificate names a node, not a host; the cluster's authority is all that is trusted.
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    await once(socket, 'secureConnect', { signal });
    return new TlsPeer(child, socket);
  }

  /** The other process. */
  get pid(): number {
    const { pid } = this.#child;
    assert(pid !== undefined, 'it has started');
    return pid;
  }

  /**
   * One exchange; only one at a time.
   * @param request bytes to send, from HEADER_BYTES; @param reply bytes to get back, from 1
   * @returns milliseconds until the last byte of the reply
   */
  async exchange(request: number, reply: number): Promise<number> {
    const chunk = Buffer.alloc(Math.min(request, CHUNK_BYTES), 0xa5);
    const header = Buffer.from(chunk);
    header.writeUInt32LE(request, 0);
    header.writeUInt32LE(reply, 4);
    const answered = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    this.#missing = reply;
    const begin = performance.now();
    let room = this.#socket.write(header);
    for (let left = request - header.length; left > 0; left -= CHUNK_BYTES) {
      if (!room) await once(this.#socket, 'drain');
      room = this.#socket.write(left >= CHUNK_BYTES ? chunk : chunk.subarray(0, left));
    }
    await answered;
    return performance.now() - begin;
  }

  /** Closes the connection and waits for the end of the other process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }
}

export { HEADER_BYTES };
