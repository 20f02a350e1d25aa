/** A node as a daemon: its state directory, its identity, its links, and everything else wired to them. */
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Log } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { TIMING } from '../base/timing.ts';
import { ENGINE_VERSION } from '../capture/rewriting/rewrite.ts';
import { certificateBytes } from '../cluster/authority.ts';
import { Founder } from '../cluster/founder.ts';
import { JoinServer } from '../cluster/join.ts';
import { checkNodeName } from '../cluster/members.ts';
import { SqliteStore } from '../cluster/sqlite.ts';
import { certifierOf, credentialsOf, foundCluster, joinCluster } from '../cluster/start.ts';
import type { MembershipStore, NodeIdentity } from '../cluster/store.ts';
import { formatAddress, parseAddress } from '../link/address.ts';
import type { Build } from '../link/greeting.ts';
import { listenTls, TlsDialer, tryAddress } from '../link/tls.ts';
import { Cluster } from './cluster/cluster.ts';
import { NodeCore } from './core.ts';
import type { Daemon, NodeOptions } from './daemon.ts';
import { LoadMeter } from './load.ts';
import { LogBook } from './log-book.ts';
import { ModuleStore } from './modules/modules.ts';
import { Node } from './node.ts';
import {
  cacheDirectory,
  directoryFailure,
  makePrivateDirectory,
  othersCanReplace,
  stateDirectory,
  stateFailure,
} from './paths.ts';
import { openLog, realClock, realRandom } from './runtime.ts';
import { PidSerials } from './serials.ts';

/** Only this machine reaches a node that is started without --listen: nothing is opened to a network unasked. */
const DEFAULT_LISTEN = '127.0.0.1:0';

const VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Images and rewritten code are of one engine. */
const ENGINE = `engine-${ENGINE_VERSION}`;
const BUILD: Build = { build: VERSION, capabilities: [ENGINE], required: [ENGINE] };

/**
 * Starts a node: the first of a new cluster, one that joins, or one that comes back.
 * @throws GodwitError `state_in_use`, `address_in_use`, `token_invalid`, `version_mismatch`, `node_down`, `io`, `corrupt`
 */
export async function startNode(options: NodeOptions): Promise<Daemon> {
  // Before anything is kept: what is none would be asked for again at every later start.
  if (options.listen !== null) parseAddress(options.listen);
  if (options.name !== null) checkNodeName(options.name);
  const state = options.state ?? stateDirectory();
  makeDirectory(state);
  const store = new SqliteStore(path.join(state, 'node.db'));
  try {
    const known = store.load().identity;
    if (known && options.join) {
      throw new GodwitError(
        'state_in_use',
        `cannot join with ${state}: it belongs to a node of a cluster already; start that node without --join, ` +
          'or choose another --state',
      );
    }
    const identity = known ?? (await newIdentity(store, options));
    return await runNode(state, store, identity, options);
  } catch (error) {
    store.close();
    throw error;
  }
}

function makeDirectory(directory: string): void {
  try {
    makePrivateDirectory(directory);
  } catch (error) {
    const reason = `cannot make the state directory ${directory}: ${directoryFailure(directory, error)}`;
    throw new GodwitError('io', `${reason}; choose another with --state`, { cause: error });
  }
  // Whoever can replace the files there says who this node is, and has the authority of a founder.
  if (othersCanReplace(statSync(directory).mode)) {
    const open = `the state directory ${directory} can be written by others`;
    throw new GodwitError('io', `${open}; "chmod go-w ${directory}" ends that, or choose another with --state`);
  }
}

/** @throws GodwitError `io` */
function openNodeLog(file: string, book: LogBook): Log {
  try {
    return openLog(file, (error) => {
      const { message } = stateFailure(file, error);
      book.add('error', message, null);
      process.stderr.write(`godwit: ${message}; "godwit logs" shows the last lines all the same\n`);
    });
  } catch (error) {
    throw stateFailure(file, error);
  }
}

/** A host name as far as it can be the name of a node. */
function defaultName(): string {
  const name =
    hostname()
      .split('.')[0]
      ?.replaceAll(/[^A-Za-z0-9_-]/g, '-') ?? '';
  return /^[A-Za-z]/.test(name) ? name : `node-${name}`.replace(/-$/, '');
}

async function newIdentity(store: MembershipStore, { name, listen, join }: NodeOptions): Promise<NodeIdentity> {
  const called = name ?? defaultName();
  const address = listen ?? DEFAULT_LISTEN;
  // A node that cannot run must not leave a cluster in its state directory, or use a token up.
  await tryAddress(parseAddress(address));
  if (!join) return foundCluster(store, realRandom, called, address);
  return joinCluster(store, {
    clock: realClock,
    self: BUILD,
    join: join.address,
    token: join.token,
    name: called,
    address,
  });
}

function ownRecord(
  store: MembershipStore,
  identity: NodeIdentity,
): { readonly name: string; readonly address: string } {
  const record = store.load().memberList?.members.find(({ node }) => node === identity.node);
  if (!record) throw new GodwitError('corrupt', 'the stored list of members does not have this node');
  return record;
}

async function runNode(
  state: string,
  store: MembershipStore,
  identity: NodeIdentity,
  options: NodeOptions,
): Promise<Daemon> {
  const { node: self } = identity;
  const { name, address: lastAddress } = ownRecord(store, identity);
  if (options.name !== null && options.name !== name) {
    const called = `the node of ${state} is called ${name}, for good`;
    throw new GodwitError('usage', `${called}; start it without --name ${options.name}, or choose another --state`);
  }
  const book = new LogBook(Date.now);
  const log = book.tee(openNodeLog(path.join(state, 'node.log'), book));
  const clock = realClock;
  const random = realRandom;
  const modules = new ModuleStore(path.join(cacheDirectory(), 'modules'), log);
  const certifier = certifierOf(identity);
  const founder = certifier && new Founder({ clock, random, log, store, certifier });
  const credentials = credentialsOf(identity);
  const joins = new JoinServer({
    clock,
    log,
    self: BUILD,
    cluster: identity.cluster,
    engine: founder,
    founder: () => founderText(cluster),
    certificateBytes,
  });
  const dialer = new TlsDialer(credentials);
  const listener = await listenTls({
    address: parseAddress(options.listen ?? lastAddress),
    credentials,
    log,
    onPeer: (transport) => cluster.links.accept(transport),
    onJoin: (channel, remote) => joins.serve(channel, remote),
  });
  const boot = randomBoot();
  const load = new LoadMeter(clock, () =>
    [...core.guests.sessions()].reduce((sum, { computing }) => sum + computing, 0),
  );
  const cluster: Cluster = new Cluster({
    self,
    boot,
    clock,
    random,
    log,
    store,
    founder,
    modules,
    address: formatAddress(listener.address),
    links: {
      self: { ...BUILD, cluster: identity.cluster, node: self, boot },
      clock,
      random,
      log,
      dialer,
    },
    load: () => load.average,
    answers: {
      processes: () => node.localProcesses(),
      kill: async ({ pid, signal }) => {
        node.killHere(pid, signal);
        return {};
      },
      wait: ({ pid }) => node.waitHere(pid),
    },
  });
  const serials = new PidSerials(path.join(state, 'pid'));
  const core: NodeCore = new NodeCore({
    clock,
    random,
    log,
    network: cluster.network,
    whenAcknowledged: (memory, then) => cluster.links.whenAcknowledged(memory, then),
    firstSerial: serials.first,
    nodes: cluster,
    module: (hash, from) => cluster.modules.module(hash, from),
    ended: (process, status) => log.info('process ended', { pid: process.pid, how: status.how }),
    spawned: (serial) => serials.used(serial),
  });
  const reports = setInterval(() => void core.reportUsage(), TIMING.usageReportMs);
  const node: Node = new Node({
    self: { id: self, name, address: formatAddress(listener.address) },
    core,
    modules,
    book,
    cluster,
    close: async () => {
      clearInterval(reports);
      load.stop();
      joins.close();
      await core.close();
      cluster.stop();
      await Promise.all([listener.close(), dialer.closed()]);
      store.close();
      log.info('node stopped', { node: self });
    },
  });
  noteFatal(log, core);
  cluster.start(core);
  log.info('node started', { node: self, name, address: formatAddress(listener.address), build: VERSION });
  return node;
}

/** A bug of ours ends the daemon, and leaves in the log what there was at that moment. */
function noteFatal(log: Log, core: NodeCore): void {
  process.on('uncaughtExceptionMonitor', (error, origin) => {
    const stack = error instanceof Error ? error.stack : String(error);
    log.error('the node ends because of a bug', { origin, stack, guests: core.guests.size });
    for (const found of core.home.kernel.processes.list()) {
      const { pid, node, incarnation } = found;
      log.error('process of this home', { pid, state: found.stateWith(core.home.threads(pid)), node, incarnation });
    }
  });
}

function founderText(cluster: Cluster): string {
  const { founder, members } = cluster.membership.list;
  const record = members.find(({ node }) => node === founder);
  return record ? `node ${record.name} (${record.address})` : `node ${founder}`;
}

function randomBoot(): bigint {
  const bytes = new Uint8Array(8);
  realRandom.fill(bytes);
  return new DataView(bytes.buffer).getBigUint64(0);
}
