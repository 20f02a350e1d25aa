/** What can be seen to forbid a move before anything of it is begun. */
import type { ErrorCode } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { explainStay } from '../kernel/stay.ts';
import type { HomeHost } from './hosts.ts';
import type { Process } from './move.ts';

export type Failure = readonly [code: ErrorCode, reason: string];

/**
 * @param self the home of the process
 * @param target may be where it is already: nothing forbids that
 */
export function obstacle(host: HomeHost, self: NodeId, { pid, place }: Process, target: NodeId): Failure | null {
  if (target === place) return null;
  for (const node of [target, place]) {
    const state = node === self ? 'up' : host.nodeState(node);
    if (state !== 'up') return [state === 'unknown' ? 'unknown_node' : 'node_down', host.silence(node)];
  }
  const stay = host.stayReasons(pid);
  return stay.length > 0 ? ['cannot_move', explainStay(stay)] : null;
}
