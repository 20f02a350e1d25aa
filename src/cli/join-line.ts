/** The line with which another machine joins. */
import { isLoopback, parseAddress } from '../link/address.ts';
import type { JoinToken } from '../node/daemon.ts';

export function joinLine({ address, token }: JoinToken): string {
  return `godwit up --join ${address} --token ${token}`;
}

/** Who can use the line: an address of this machine only leads other machines to themselves. */
export function joinNote({ address }: JoinToken): { readonly who: string; readonly note: string | null } {
  if (!isLoopback(parseAddress(address).host)) return { who: 'another machine', note: null };
  return {
    who: 'another node on this machine',
    note: 'with a --state and a --socket of its own; other machines reach a node that was started with --listen HOST:PORT',
  };
}
