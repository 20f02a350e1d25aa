/** Where a node listens: `HOST:PORT`, with an IPv6 address in brackets. */
import { GodwitError } from '../base/errors.ts';

export interface Address {
  /** A name or a numeric address, without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 asks the operating system for a free one. */
  readonly port: number;
}

/** @throws GodwitError('usage') if the text is not `HOST:PORT` */
export function parseAddress(text: string): Address {
  // Without control characters: addresses of other nodes are shown to people.
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]\s\p{C}]+)):(\d{1,5})$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535) {
    throw new GodwitError('usage', `${JSON.stringify(text)} is not HOST:PORT (an IPv6 host in brackets: [::1]:4000)`);
  }
  return { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nobody but the machine itself reaches the host: by its name, or any address that is one of loopback. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * A node that listens on all its addresses does not know under which of them it is seen.
 * @param seenFrom the host to take instead of a wildcard (`0.0.0.0` or `::`)
 * @throws GodwitError('usage') if the text is not `HOST:PORT`
 */
export function withHost(text: string, seenFrom: string): string {
  const { host, port } = parseAddress(text);
  return formatAddress({ host: host === '0.0.0.0' || host === '::' ? seenFrom : host, port });
}
