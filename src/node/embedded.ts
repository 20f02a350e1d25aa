/**
 * A single node without state, links or listening socket, for one `godwit run` where no daemon is running.
 */
import { hostname, loadavg } from 'node:os';
import path from 'node:path';
import { silentLog } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { nodeId } from '../base/ids.ts';
import type { ClusterView, Member } from './cluster/cluster-view.ts';
import { NodeCore } from './core.ts';
import type { Daemon } from './daemon.ts';
import { LogBook } from './log-book.ts';
import { machineStatus } from './machine.ts';
import { ModuleStore } from './modules/modules.ts';
import { Node } from './node.ts';
import { cacheDirectory } from './paths.ts';
import { realClock, realRandom } from './runtime.ts';

const SELF = nodeId(1);

/** @returns the node, which runs until its `shutdown` */
export async function startEmbedded(): Promise<Daemon> {
  const log = silentLog;
  const modules = new ModuleStore(path.join(cacheDirectory(), 'modules'), log);
  const core = new NodeCore({
    network: { self: SELF, send: () => {}, hasRoom: () => false },
    whenAcknowledged: (_memory, then) => then(),
    clock: realClock,
    random: realRandom,
    log,
    firstSerial: 1,
    nodes: {
      nodeState: (node) => (node === SELF ? 'up' : 'unknown'),
      nameOf: String,
      silence: (node) => noSuch(`no node ${node}`).message,
    },
    module: () => Promise.reject(new GodwitError('unknown_node', 'there are no other nodes')),
    ended: () => {},
    spawned: () => {},
  });
  const name = hostname();
  const self = { id: SELF, name, address: '' };
  return new Node({
    self,
    core,
    modules,
    book: new LogBook(Date.now),
    cluster: alone(name, core),
    close: () => core.close(),
  });
}

const noSuch = (what: string): GodwitError =>
  new GodwitError('unknown_node', `${what}: this program runs without a cluster; start one with "godwit up"`);

function alone(name: string, core: NodeCore): ClusterView {
  const self: Member = {
    id: SELF,
    name,
    processes: () => Promise.resolve([]),
    kill: () => Promise.reject(noSuch('no other node')),
    wait: () => Promise.reject(noSuch('no other node')),
  };
  return {
    resolve(node) {
      if (node === name || node === String(SELF)) return self;
      throw noSuch(`no node ${node}`);
    },
    homeOf: () => self,
    nameOf: () => name,
    requireAnswering: () => {},
    peers: () => [],
    nodes: () =>
      Promise.resolve([
        {
          ...machineStatus(),
          id: SELF,
          name,
          address: '',
          state: 'up',
          load: loadavg()[0] ?? 0,
          processes: core.guests.size,
        },
      ]),
    nextUp: () => null,
    token: () => Promise.reject(noSuch('no tokens')),
  };
}
