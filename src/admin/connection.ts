/**
 * Frames over one socket, for both ends of the control socket: bytes in, whole messages out, errors in one place.
 */
import type { Socket } from 'node:net';
import { GodwitError } from '../base/errors.ts';
import { FrameReader } from './protocol.ts';

export interface Codecs<In, Out> {
  readonly encode: (message: Out) => Uint8Array<ArrayBuffer>;
  readonly decode: (payload: Uint8Array) => In;
}

export interface Listener<In> {
  /** @throws GodwitError to end the connection */
  message(message: In): void;
  /** Called once. `reason`: why it broke, null if the other side ended it in order or this side closed it. */
  closed(reason: GodwitError | null): void;
}

export class Connection<In, Out> {
  readonly #socket: Socket;
  readonly #encode: (message: Out) => Uint8Array<ArrayBuffer>;
  #reason: GodwitError | null = null;

  /**
   * @param holdBack whether to stop reading while what was sent is not taken. For the daemon's end only: a client
   *   that sends and never reads must not fill the daemon's memory; if both ends held back, both could wait forever.
   */
  constructor(socket: Socket, codecs: Codecs<In, Out>, listener: Listener<In>, holdBack: boolean) {
    this.#socket = socket;
    this.#encode = codecs.encode;
    const frames = new FrameReader();
    socket.on('data', (received: Buffer) => {
      try {
        for (const payload of frames.push(received)) {
          if (socket.destroyed) return;
          listener.message(codecs.decode(payload));
        }
      } catch (error) {
        if (!(error instanceof GodwitError)) throw error;
        this.fail(error);
      }
      if (holdBack && socket.writableNeedDrain) socket.pause();
    });
    if (holdBack) socket.on('drain', () => socket.resume());
    socket.on('error', (error: Error) => (this.#reason ??= new GodwitError('io', error.message, { cause: error })));
    socket.on('close', () => listener.closed(this.#reason));
  }

  /** Harmless after the end. */
  send(message: Out): void {
    if (this.#socket.writable) this.#socket.write(this.#encode(message));
  }

  /** Ends the connection after what was sent has gone out. */
  close(): void {
    this.#socket.end();
    // The other side's end follows; nothing that it still sends matters, but it has to be read for the end to come.
    this.#socket.removeAllListeners('data').resume();
  }

  /** Ends the connection at once, with a reason for the listener. */
  fail(reason: GodwitError | null): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  /** Does not keep this operating-system process alive. */
  unref(): void {
    this.#socket.unref();
  }
}
