/**
 * `run --hop`: a process moves to the next node in turn at an interval. For demonstrations and torture; the balancer
 * knows nothing of it.
 */
import type { Pid } from '../base/ids.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import type { NodeCore } from './core.ts';

export interface Hopping {
  stop(): void;
}

/**
 * Moves a process of this node on and on. A move that fails is not repeated: the next one is tried in its turn.
 * @param intervalMs from the end of one move to the beginning of the next: a program whose moves take longer than the
 *   interval must get somewhere all the same
 */
export function startHopping(core: NodeCore, cluster: ClusterView, pid: Pid, intervalMs: number): Hopping {
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;
  const home = cluster.homeOf(pid).id;

  const hop = (): void => {
    timer = null;
    const process = core.home.kernel.processes.find(pid);
    if (stopped || !process || process.ended) return;
    const next = cluster.nextUp(process.node);
    const again = (): void => {
      if (!stopped) timer = setTimeout(hop, intervalMs);
    };
    if (next === null) again();
    else core.roles.migrate(pid, home, next, again);
  };
  timer = setTimeout(hop, intervalMs);
  return {
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
    },
  };
}
