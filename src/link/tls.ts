/**
 * The real transport: TLS 1.3 over TCP, both sides with certificates of the cluster authority. Who the peer is comes
 * from its certificate alone. There is no fallback to anything weaker.
 *
 * One port takes two kinds of connection, told apart by ALPN: links between members, and the exchange with which a
 * new node joins, which has no certificate yet (src/cluster/join.ts bounds what it may do).
 */
import type { X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { connect, createServer } from 'node:tls';
import type { Log } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import type { Address } from './address.ts';
import { formatAddress, parseAddress } from './address.ts';
import { nodeOfSubject } from './identity.ts';
import { receive } from './receive-buffer.ts';
import { OTHER_AUTHORITY, acceptFailure, breakReason, connectFailure } from './tls-reasons.ts';
import type { Channel, Dialer, Dialing, Transport, TransportEvents } from './transport.ts';

const LINK_PROTOCOL = 'godwit-link';
const JOIN_PROTOCOL = 'godwit-join';

const TLS = {
  minVersion: 'TLSv1.3',
  // All of TLS 1.3, the fastest first: AES-128 where the processor has AES, which is nearly everywhere.
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384',
  // What waits beyond it is joined by copying before it is encrypted, so more does not make it faster.
  highWaterMark: LIMITS.imageChunkBytes,
} satisfies TlsOptions & { highWaterMark: number };

/** What a node needs to prove who it is, and to check its peers. Keys and certificates are PEM. */
export interface Credentials {
  readonly cluster: string;
  readonly node: NodeId;
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
}

class TlsChannel implements Channel {
  readonly #socket: TLSSocket;
  #over = false;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    // Without a listener an error before `start` would end the daemon; `close` follows and says what is needed.
    socket.on('error', () => {});
  }

  start(events: TransportEvents): void {
    const socket = this.#socket;
    let reason = 'the peer has closed the connection';
    socket.on('error', (error) => (reason = breakReason(error)));
    receive(socket, (bytes) => {
      if (!this.#over) events.bytes(bytes);
    });
    socket.on('drain', () => {
      if (!this.#over) events.drained();
    });
    const closed = (): void => {
      if (this.#over) return;
      this.#over = true;
      events.closed(reason);
    };
    socket.on('close', closed);
    if (socket.destroyed) setImmediate(closed);
  }

  send(parts: readonly Uint8Array[]): boolean {
    if (this.#over) return true;
    const socket = this.#socket;
    let more = true;
    if (parts.length > 1) socket.cork();
    // Views over a SharedArrayBuffer are taken as they are (tls.test.ts), so guest memory is not copied here.
    for (const part of parts) more = socket.write(part);
    if (parts.length > 1) socket.uncork();
    return more;
  }

  end(): void {
    this.#over = true;
    this.#socket.end();
    // The peer may never close its side.
    this.#socket.setTimeout(TIMING.handshakeMs, () => this.#socket.destroy());
    this.#socket.resume();
  }

  abort(): void {
    this.#over = true;
    this.#socket.destroy();
  }
}

class TlsTransport extends TlsChannel implements Transport {
  readonly peer: NodeId;

  constructor(socket: TLSSocket, peer: NodeId) {
    super(socket);
    this.peer = peer;
  }
}

export interface TlsListener {
  /** As bound: with the port that the operating system gave. */
  readonly address: Address;
  /** Stops listening; connections that were handed out stay. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly address: Address;
  readonly credentials: Credentials;
  readonly log: Log;
  /** A member has connected. */
  onPeer(transport: Transport): void;
  /** Someone without a certificate wants to join. @param remote its address, for limits and the log */
  onJoin(channel: Channel, remote: string): void;
}

/** @throws GodwitError('address_in_use') or ('io') with the address */
export function listenTls(options: ListenOptions): Promise<TlsListener> {
  const { address, credentials, log } = options;
  const server = createServer({
    ...TLS,
    key: credentials.key,
    // The authority comes along, so that a joining node can check its fingerprint.
    cert: credentials.certificate + credentials.authority,
    ca: credentials.authority,
    requestCert: true,
    // Who joins has no certificate yet; `onSecure` holds members to theirs.
    rejectUnauthorized: false,
    handshakeTimeout: TIMING.handshakeMs,
    ALPNProtocols: [LINK_PROTOCOL, JOIN_PROTOCOL],
  });
  server.maxConnections = LIMITS.connections;
  server.on('secureConnection', (socket) => onSecure(socket, options));
  server.on('tlsClientError', (error, socket) => {
    log.warn('connection refused', { remote: socket.remoteAddress ?? 'unknown', reason: acceptFailure(error) });
    socket.destroy();
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, address)));
    server.listen(address.port, address.host, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => log.error('cannot accept connections', { reason: error.message }));
      const { address: host, port } = server.address() as AddressInfo;
      resolve({
        address: { host, port },
        close: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

/**
 * Whether a node could listen on an address: what is to be known before it founds or joins a cluster under it.
 * @throws GodwitError as {@link listenTls} does
 */
export function tryAddress(address: Address): Promise<void> {
  const server = createTcpServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, address)));
    server.listen(address.port, address.host, () => server.close(() => resolve()));
  });
}

function listenError(error: NodeJS.ErrnoException, address: Address): GodwitError {
  const where = formatAddress(address);
  if (error.code === 'EADDRINUSE') {
    return new GodwitError('address_in_use', `${where} is in use: choose another address with --listen`, {
      cause: error,
    });
  }
  const reason = LISTEN_FAILURES[error.code ?? ''] ?? error.message;
  return new GodwitError('io', `cannot listen on ${where}: ${reason}; choose another address with --listen`, {
    cause: error,
  });
}

const LISTEN_FAILURES: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'only the administrator may use ports below 1024',
  ENOTFOUND: 'no machine has that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  EAFNOSUPPORT: 'this machine has no addresses of that kind',
};

function onSecure(socket: TLSSocket, options: ListenOptions): void {
  const { credentials, log } = options;
  const remote = socket.remoteAddress ?? 'unknown';
  if (socket.alpnProtocol === JOIN_PROTOCOL) {
    options.onJoin(new TlsChannel(socket), remote);
    return;
  }
  const peer = provenPeer(socket, credentials.cluster);
  if (typeof peer === 'string' || socket.alpnProtocol !== LINK_PROTOCOL) {
    const reason = typeof peer === 'string' ? peer : 'it does not speak the link protocol';
    log.warn('connection refused', { remote, reason });
    socket.on('error', () => {});
    socket.destroy();
    return;
  }
  options.onPeer(new TlsTransport(socket, peer));
}

/** The node that the peer's certificate proves it to be, or why it does not. */
function provenPeer(socket: TLSSocket, cluster: string): NodeId | string {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return 'it has no certificate';
  if (!socket.authorized) return OTHER_AUTHORITY;
  return nodeOfSubject(certificate.subject, cluster) ?? 'its certificate names no node of this cluster';
}

/** Connects to `address`. @param onSecure called at most once, with the socket or the reason; always later */
function dialTls(
  address: Address,
  options: ConnectionOptions,
  onSecure: (socket: TLSSocket | { readonly failed: string }) => void,
): Dialing {
  const socket = connect({
    ...options,
    ...TLS,
    host: address.host,
    port: address.port,
    // The name in a node's certificate is its id, not its host: checked by the caller.
    checkServerIdentity: () => undefined,
  });
  let done = false;
  const finish = (result: TLSSocket | { readonly failed: string }): void => {
    if (done) return;
    done = true;
    socket.setTimeout(0);
    if ('failed' in result) socket.destroy();
    onSecure(result);
  };
  socket.setTimeout(TIMING.handshakeMs, () => finish({ failed: 'no answer' }));
  socket.on('error', (error) => finish({ failed: connectFailure(error) }));
  socket.on('close', () => finish({ failed: 'the peer has closed the connection' }));
  socket.on('secureConnect', () => finish(socket));
  return {
    cancel() {
      done = true;
      socket.destroy();
    },
  };
}

/** Connects to other members as the owner of the credentials. */
export class TlsDialer implements Dialer {
  readonly #credentials: Credentials;
  readonly #open = new Set<TLSSocket>();

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  dial(peer: NodeId, text: string, done: Parameters<Dialer['dial']>[2]): Dialing {
    const { cluster, key, certificate, authority } = this.#credentials;
    let address: Address;
    try {
      address = parseAddress(text);
    } catch (error) {
      const failed = (error as GodwitError).message;
      const timer = setImmediate(() => done({ failed }));
      return { cancel: () => clearImmediate(timer) };
    }
    const options = { key, cert: certificate, ca: authority, ALPNProtocols: [LINK_PROTOCOL] };
    return dialTls(address, options, (socket) => {
      if ('failed' in socket) {
        done(socket);
        return;
      }
      const proven = provenPeer(socket, cluster);
      if (proven === peer) {
        this.#open.add(socket);
        socket.on('close', () => this.#open.delete(socket));
        done(new TlsTransport(socket, peer));
        return;
      }
      socket.destroy();
      done({ failed: typeof proven === 'string' ? proven : `${text} is node ${proven}, not node ${peer}` });
    });
  }

  /**
   * Resolves when all connections that were made are closed, once their owners have ended them: what was said last, a
   * goodbye, has been read by then, or the peer does not answer any more.
   */
  async closed(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => new Promise((resolve) => socket.on('close', resolve))));
  }
}

/**
 * Connects to a member in order to join its cluster.
 * @param fingerprint SHA-256 of the authority's certificate, from the token: proves that this is the right cluster
 *   before the token's secret is sent
 * @throws GodwitError('node_down') if no one answers, ('token_invalid') if it is another cluster
 */
export function dialToJoin(address: Address, fingerprint: Uint8Array): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const where = formatAddress(address);
    // The authority is not known yet; isOfAuthority checks the chain against the token instead.
    dialTls(address, { rejectUnauthorized: false, ALPNProtocols: [JOIN_PROTOCOL] }, (socket) => {
      if ('failed' in socket) {
        const advice = '"godwit token" on a node that is up names the right address';
        reject(new GodwitError('node_down', `cannot join through ${where}: ${socket.failed}; ${advice}`));
      } else if (!isOfAuthority(socket.getPeerX509Certificate(), fingerprint)) {
        socket.destroy();
        reject(new GodwitError('token_invalid', `${where} does not belong to the cluster that made the token`));
      } else {
        resolve(new TlsChannel(socket));
      }
    });
  });
}

/** Whether the certificate was issued by the authority with that fingerprint; TLS has proved that the peer owns its key. */
function isOfAuthority(certificate: X509Certificate | undefined, fingerprint: Uint8Array): boolean {
  const issuer = certificate?.issuerCertificate;
  if (!certificate || !issuer) return false;
  const hex = issuer.fingerprint256.replaceAll(':', '').toLowerCase();
  return hex === fingerprint.toHex() && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
