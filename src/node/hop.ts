/**
 * `run --hop`: a process moves to the next node in turn at an interval. For demonstrations and torture; the balancer
 * knows nothing of it.
 */
import type { Pid } from '../base/ids.ts';
import type { ClusterView } from './cluster-view.ts';
import type { NodeCore } from './core.ts';

export interface Hopping {
  stop(): void;
}

/**
 * Moves a process of this node on and on. A move that fails is not repeated: the next one is tried in its turn. If
 * moves take longer than the interval, they follow each other at once.
 * @param intervalMs from the beginning of one move to that of the next
 */
export function startHopping(core: NodeCore, cluster: ClusterView, pid: Pid, intervalMs: number): Hopping {
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;
  const home = cluster.homeOf(pid).id;

  const hop = (): void => {
    timer = null;
    const began = performance.now();
    const process = core.home.kernel.processes.find(pid);
    if (stopped || !process || process.ended) return;
    const next = cluster.nextUp(process.node);
    const again = (): void => {
      if (!stopped) timer = setTimeout(hop, Math.max(0, intervalMs - (performance.now() - began)));
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
