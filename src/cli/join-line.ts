/** The line with which another machine joins. */
import type { JoinToken } from '../node/daemon.ts';

export function joinLine({ address, token }: JoinToken): string {
  return `godwit up --join ${address} --token ${token}`;
}
