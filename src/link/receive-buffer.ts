/**
 * Receiving into one buffer for the whole life of a connection. Node otherwise makes a new one for each TLS record, of
 * 16 KB: of what it costs to receive an image a third, and the work of a garbage collector besides.
 *
 * Node offers that (`onread`) to whoever dials, of sockets without TLS also to others, but not to the side that accepts
 * a TLS connection. Its sockets are the same, so both sides use here what `onread` is made of: the socket's properties `kBuffer` and
 * `kBufferCb`, whose symbols are not exported, and `useUserBuffer` of its handle. Where a version of Node does not have
 * them, bytes come as the event `data` gives them; a test says so.
 */
import type { Duplex } from 'node:stream';

/** What a TLS record holds at most; Node gives no more at a time. */
const RECORD_BYTES = 16 * 1024;

/**
 * Calls `take` with all that arrives, from now on and what has arrived before; never from inside this call.
 * @param take gets bytes that are valid until it returns
 * @returns whether they come in one buffer
 */
export function receive(socket: Duplex, take: (bytes: Uint8Array) => void): boolean {
  // What came along with the end of the handshake. Before the socket gets its buffer, or this would make it read.
  let early = socket.read() as Buffer | null;
  const takeEarly = (): void => {
    const bytes = early;
    early = null;
    if (bytes !== null) take(bytes);
  };
  const arrived = (bytes: Uint8Array): void => {
    takeEarly();
    take(bytes);
  };
  if (early !== null) process.nextTick(takeEarly);
  const buffer = Buffer.allocUnsafeSlow(RECORD_BYTES);
  const inOneBuffer = useBuffer(socket, buffer, (length) => arrived(buffer.subarray(0, length)));
  if (inOneBuffer) socket.resume();
  else socket.on('data', arrived);
  return inOneBuffer;
}

/** @returns false: this socket cannot, and is as it was */
function useBuffer(socket: Duplex, buffer: Buffer, received: (length: number) => void): boolean {
  const symbols = Object.getOwnPropertySymbols(socket);
  const target = symbols.find(({ description }) => description === 'kBuffer');
  const callback = symbols.find(({ description }) => description === 'kBufferCb');
  const handle: unknown = Reflect.get(socket, '_handle');
  if (target === undefined || callback === undefined || !canUseBuffer(handle)) return false;
  Object.assign(socket, { [target]: buffer, [callback]: received });
  handle.useUserBuffer(buffer);
  return true;
}

function canUseBuffer(handle: unknown): handle is { useUserBuffer(buffer: Buffer): void } {
  return typeof handle === 'object' && handle !== null && 'useUserBuffer' in handle;
}
