/**
 * Sockets that listen, as the kernel has them: node:net behind the interfaces of kernel/socket.ts. Connections are
 * taken from the operating system one by one, when the program accepts.
 */
import net from 'node:net';
import { ERRNO, type Errno, ErrnoError } from '../abi/errno.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { ConnectionEnd, ListenerEnd } from '../kernel/socket.ts';
import { fromHost } from '../vfs/hosterror.ts';
import type { Settled } from '../vfs/openfile.ts';
import { afterNextLook } from './event-loop.ts';

/**
 * How long a peer may take nothing of what a program has written that has closed the connection, in milliseconds: as
 * Linux ends such a connection that no program has any more. Each holds a descriptor of the node, however many the
 * program may have.
 */
const LINGER_MS = 60_000;

/**
 * @param lingerMs see {@link LINGER_MS}
 * @param address HOST:PORT, [IPV6]:PORT, or PORT on loopback; port 0 for any
 * @throws GodwitError `usage` for what is no address, `address_in_use`, `io`
 */
export async function listenOn(address: string, lingerMs = LINGER_MS): Promise<ListenerEnd> {
  const { host, port } = parseAddress(address);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(address, error)));
    server.listen({ host, port }, resolve);
  });
  return new NetListener(server, lingerMs);
}

/** @throws GodwitError `usage` */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new GodwitError('usage', `${address} is no address; give HOST:PORT, [IPV6]:PORT or PORT`);
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

const FAILURES: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'the node does not have that address',
  EACCES: 'only the administrator may use ports below 1024',
  ENOTFOUND: 'no machine has that name',
};

function listenError(address: string, error: NodeJS.ErrnoException): GodwitError {
  if (error.code === 'EADDRINUSE') {
    return new GodwitError('address_in_use', `cannot listen on ${address}: the address is in use; choose another port`);
  }
  const reason = FAILURES[error.code ?? ''] ?? error.code ?? error.message;
  return new GodwitError('io', `cannot listen on ${address}: ${reason}; choose another address`, { cause: error });
}

class NetListener implements ListenerEnd {
  readonly #server: net.Server;
  readonly #lingerMs: number;
  /** Taken from the operating system before the program asked, for Node cannot leave them in its queue. */
  readonly #early: net.Socket[] = [];
  #asking: ((result: Settled<ConnectionEnd>) => void) | null = null;

  constructor(server: net.Server, lingerMs: number) {
    this.#lingerMs = lingerMs;
    this.#server = server;
    server.on('connection', (socket) => {
      // Until the program has it, an error only means that it is gone.
      socket.on('error', () => {});
      const done = this.#asking;
      this.#asking = null;
      if (done) done({ value: new NetConnection(socket, this.#lingerMs) });
      else if (this.#early.length < LIMITS.listenBacklog) this.#early.push(socket);
      // As a system does that resets what its queue has no room for: the client learns at once that it was not taken.
      else socket.resetAndDestroy();
    });
    server.on('error', (error) => {
      const done = this.#asking;
      this.#asking = null;
      done?.({ errno: errnoOf(error) });
    });
  }

  accept(done: (result: Settled<ConnectionEnd>) => void): void {
    const socket = this.#early.shift();
    if (socket) queueMicrotask(() => done({ value: new NetConnection(socket, this.#lingerMs) }));
    else this.#asking = done;
  }

  hurry(): void {
    const done = this.#asking;
    if (!done) return;
    afterNextLook(() => {
      if (this.#asking !== done) return;
      this.#asking = null;
      done({ errno: ERRNO.again });
    });
  }

  close(): void {
    this.#asking = null;
    for (const socket of this.#early.splice(0)) socket.destroy();
    this.#server.close();
  }
}

class NetConnection implements ConnectionEnd {
  readonly #socket: net.Socket;
  readonly #lingerMs: number;
  #failed: Errno | null = null;
  #ended = false;
  #wake: (() => void) | null = null;
  /** Ends the read that is under way without bytes. */
  #giveUp: (() => void) | null = null;

  constructor(socket: net.Socket, lingerMs: number) {
    this.#lingerMs = lingerMs;
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#failed = errnoOf(error);
      this.#wake?.();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on('readable', () => this.#wake?.());
  }

  read(max: number, done: (result: Settled<Uint8Array>) => void): void {
    const attempt = (): void => {
      const available = this.#socket.readableLength;
      const chunk: Buffer | null = available > 0 ? this.#socket.read(Math.min(max, available)) : null;
      if (chunk === null && this.#failed === null && !this.#ended) {
        this.#wake = attempt;
        this.#giveUp = () => done({ errno: ERRNO.again });
        // Lets the stream look for more: without a read it does not.
        this.#socket.read(0);
        return;
      }
      this.#wake = null;
      this.#giveUp = null;
      if (chunk) queueMicrotask(() => done({ value: chunk }));
      else if (this.#failed !== null) queueMicrotask(() => done({ errno: this.#failed ?? ERRNO.io }));
      else queueMicrotask(() => done({ value: new Uint8Array() }));
    };
    attempt();
  }

  hurry(): void {
    const giveUp = this.#giveUp;
    if (!giveUp) return;
    afterNextLook(() => {
      if (this.#giveUp !== giveUp) return;
      this.#wake = null;
      this.#giveUp = null;
      giveUp();
    });
  }

  write(bytes: Uint8Array, done: (result: Settled<number>) => void): void {
    this.#socket.write(bytes, (error) => done(error ? { errno: errnoOf(error) } : { value: bytes.length }));
  }

  endWriting(): void {
    this.#socket.end();
  }

  leave(): void {
    this.#socket.setTimeout(this.#lingerMs, () => this.#socket.destroy());
  }

  close(): void {
    this.#wake = null;
    this.#giveUp = null;
    this.#socket.destroySoon();
  }
}

function errnoOf(error: Error): Errno {
  const known = fromHost(error);
  return known instanceof ErrnoError ? known.errno : ERRNO.io;
}
