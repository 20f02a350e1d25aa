/** The other process of peer.ts: answers every request of N bytes with M bytes; both stand in the request's header. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { TlsIdentity } from './certificate.ts';
import { TLS_SETTINGS } from './settings.ts';

/** Request length and reply length, u32 little-endian each. */
export const HEADER_BYTES = 8;

/** What the parent gets back after it has sent a TlsIdentity. */
export interface Ready {
  readonly port: number;
}

// Also imported for its types and constants.
if (process.send) await serve((message) => process.send?.(message));

async function serve(report: (message: Ready) => void): Promise<void> {
  const [identity] = (await once(process, 'message')) as [TlsIdentity];
  const server = createServer({ ...TLS_SETTINGS, ...identity, requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  report({ port: (server.address() as AddressInfo).port });
  process.once('disconnect', () => process.exit());
}

function answer(socket: TLSSocket): void {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  let header: Buffer = Buffer.alloc(0);
  /** Bytes of the current request that are still to come; 0 before its header is there. */
  let left = 0;
  let reply = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    if (left === 0) {
      header = header.length === 0 ? data : Buffer.concat([header, data]);
      if (header.length < HEADER_BYTES) return;
      left = header.readUInt32LE(0) - header.length;
      const size = header.readUInt32LE(4);
      if (reply.length !== size) reply = Buffer.alloc(size, 0x5a);
      header = Buffer.alloc(0);
    } else left -= data.length;
    if (left === 0) socket.write(reply);
  });
}
