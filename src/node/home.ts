/**
 * The processes whose home is this node, with what they need beyond the kernel: their deputies, the guests of theirs
 * that are here at the moment, and their modules.
 */
import { decodeRequest, encodeReply } from '../abi/marshal.ts';
import type { Preview1Name } from '../abi/preview1.ts';
import { signalNamed } from '../abi/signals.ts';
import { assert, unreachable } from '../base/assert.ts';
import type { Log } from '../base/env.ts';
import type { CallNumber, Incarnation, NodeId, Pid, Seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import { ENGINE_VERSION } from '../capture/rewriting/rewrite.ts';
import type { ArgsOf } from '../kernel/calls/implementation.ts';
import { Deputy, type Execute } from '../kernel/deputy.ts';
import type { Descriptor } from '../kernel/descriptors.ts';
import { directEntry, directView } from '../kernel/direct.ts';
import { type CallResult, Kernel } from '../kernel/kernel.ts';
import { ONE_THREAD, type Process, type Surroundings, type Threads } from '../kernel/process.ts';
import type { ProcessEvents } from '../kernel/processes.ts';
import type { ExitStatus } from '../kernel/status.ts';
import { stayReasonsOf } from '../kernel/stay.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import type { HomeHost, NodeView, ProcessEnd, ProcessSpec, Usage } from '../migration/hosts.ts';
import type { Roles } from '../migration/roles.ts';
import type { Guest } from './guests/guest.ts';
import type { HomeSide } from './guests/guest-session.ts';
import type { LoadedModule } from './modules/modules.ts';

interface Resident {
  readonly process: Process;
  readonly module: LoadedModule;
  readonly deputy: Deputy;
  /** Its guest while that is here. */
  guest: Guest | null;
  /** As last known while the guest is elsewhere. */
  memoryBytes: number;
  threads: Threads;
  /** What it has used at its present place, and how much of that was there before by its earlier stays. */
  stay: { readonly node: NodeId; readonly cpuMsBefore: number; readonly localCallsBefore: number };
}

export interface HomeEnvironment {
  readonly self: NodeId;
  readonly surroundings: Surroundings;
  readonly log: Log;
  readonly firstSerial: number;
  readonly roles: () => Roles;
  readonly send: (to: NodeId, message: ProcessMessage) => void;
  readonly nodes: NodeView;
  /** The process has ended and everything of it is over. */
  readonly ended: (process: Process, status: ExitStatus) => void;
}

export class HomeProcesses implements HomeSide {
  readonly kernel: Kernel;
  /** What the home role of a move asks. */
  readonly host: HomeHost;
  readonly #environment: HomeEnvironment;
  readonly #residents = new Map<Pid, Resident>();

  constructor(environment: HomeEnvironment) {
    this.#environment = environment;
    const { self: node, surroundings, log, firstSerial } = environment;
    const events: ProcessEvents = {
      ending: (process) => this.#threadsGone(process),
      ended: (process, status) => this.#ended(process, status),
      stopped: (process, stopped) => environment.roles().setStopped(process.pid, stopped),
      descriptorChanged: (process, fd, descriptor) => this.#descriptorChanged(process, fd, descriptor),
    };
    this.kernel = new Kernel({ node, surroundings, log, firstSerial, events });
    this.host = {
      stayReasons: (pid) => [...this.#resident(pid).process.stay],
      spec: (pid) => this.#spec(pid),
      nodeState: (other) => environment.nodes.nodeState(other),
      nameOf: (other) => environment.nodes.nameOf(other),
      silence: (other) => environment.nodes.silence(other),
      placed: (pid, node, incarnation) => this.#placed(pid, node, incarnation),
      moving: (pid, target) => {
        const { process } = this.#resident(pid);
        process.movingTo = target;
        if (target !== null) process.heldBy = [];
      },
      heldBy: (pid, reasons) => {
        this.#resident(pid).process.heldBy = stayReasonsOf(reasons);
      },
      moved: (pid, { freezeMs, imageBytes }) => this.#resident(pid).process.counters.moved(freezeMs, imageBytes),
      ended: (pid, end) => this.#roleEnded(pid, end),
      usage: (pid, node, usage) => this.#usage(pid, node, usage),
    };
  }

  /**
   * A process that the kernel has spawned gets its deputy and its place, here. Its guest may run now.
   * @returns null if it has been ended meanwhile: its guest must not run
   */
  admit(process: Process, module: LoadedModule): Incarnation | null {
    if (!process.begin()) return null;
    const { self, roles, send } = this.#environment;
    const { pid } = process;
    const execute: Execute = (seat, request) => this.#execute(process, seat, request);
    const deputy = new Deputy(pid, self, process.incarnation, execute, send);
    const stay = { node: self, cpuMsBefore: 0, localCallsBefore: 0 };
    this.#residents.set(pid, { process, module, deputy, guest: null, memoryBytes: 0, threads: ONE_THREAD, stay });
    return roles().create(pid);
  }

  /** Bytes of linear memory, as last known if the guest is elsewhere. */
  memoryBytes(pid: Pid): number {
    const resident = this.#residents.get(pid);
    return resident?.guest?.memoryBytes ?? resident?.memoryBytes ?? 0;
  }

  /** Its threads, as last known if the guest is elsewhere. */
  threads(pid: Pid): Threads {
    const resident = this.#residents.get(pid);
    const guest = resident?.guest;
    return guest ? { count: guest.threads, waiting: guest.waiting } : (resident?.threads ?? ONE_THREAD);
  }

  /** A home call of a guest elsewhere. */
  remoteCall(from: NodeId, message: Named<ProcessMessage, 'call'>): void {
    const { pid, incarnation } = message;
    if (this.#environment.roles().home.needs(from, pid, incarnation)) return;
    const resident = this.#residents.get(pid);
    if (resident) resident.deputy.call(from, message);
    else this.#environment.send(from, { frame: 'free', pid, incarnation });
  }

  // Calls of guests that are here.

  local(pid: Pid, seat: Seat, next: CallNumber): Uint8Array | Waiting<Uint8Array> | null {
    return this.#resident(pid).deputy.local(seat, next);
  }

  call<N extends Preview1Name>(
    pid: Pid,
    seat: Seat,
    name: N,
    args: ArgsOf<N>,
  ): CallResult<N> | Waiting<CallResult<N>> | null {
    const { process } = this.#resident(pid);
    const result = this.kernel.call(process, name, args, seat);
    return process.ended ? null : result;
  }

  attach(pid: Pid, guest: Guest): void {
    const resident = this.#resident(pid);
    resident.guest = guest;
    for (const entry of directView(resident.process)) guest.changeDescriptor(entry);
  }

  detach(pid: Pid): void {
    const resident = this.#residents.get(pid);
    if (resident) resident.guest = null;
  }

  #resident(pid: Pid): Resident {
    const resident = this.#residents.get(pid);
    assert(resident, `process ${pid} is not at home here`);
    return resident;
  }

  /** One marshalled call of a guest elsewhere. @throws GodwitError `protocol` if the bytes are not a request */
  #execute(process: Process, seat: Seat, request: Uint8Array): Uint8Array | Waiting<Uint8Array> {
    process.counters.homeCalls++;
    // Views of the request are valid during this call only, and the kernel may need them for longer.
    const { name, args } = decodeRequest(request.slice());
    return this.#carryOut(process, seat, name, args);
  }

  #carryOut<N extends Preview1Name>(
    process: Process,
    seat: Seat,
    name: N,
    args: ArgsOf<N>,
  ): Uint8Array | Waiting<Uint8Array> {
    const reply = (result: CallResult<N>): Uint8Array =>
      encodeReply(name, args, 'errno' in result ? result : { results: result.value });
    const result = this.kernel.call(process, name, args, seat);
    // The call has ended the process: its guest is discarded and takes no reply.
    if (process.ended) return new Waiting(() => {});
    if (!(result instanceof Waiting)) return reply(result);
    const waiting = new Waiting<Uint8Array>(() => {
      result.withdraw();
    });
    result.whenDone((settled) => waiting.settle(reply(settled)));
    return waiting;
  }

  #descriptorChanged({ pid }: Process, fd: number, descriptor: Descriptor | null): void {
    const guest = this.#residents.get(pid)?.guest;
    guest?.changeDescriptor(directEntry(fd, descriptor) ?? { fd, shared: null, may: NOTHING });
  }

  #spec(pid: Pid): ProcessSpec {
    const { module } = this.#resident(pid);
    return {
      module: Buffer.from(module.hash, 'hex'),
      moduleBytes: BigInt(module.original.length),
      engine: String(ENGINE_VERSION),
      memoryBytes: BigInt(this.memoryBytes(pid)),
      threads: this.threads(pid).count,
      features: [],
    };
  }

  #placed(pid: Pid, node: NodeId, incarnation: Incarnation): void {
    const resident = this.#resident(pid);
    const { process, deputy } = resident;
    const { counters } = process;
    resident.stay = { node, cpuMsBefore: counters.cpuMs.get(node) ?? 0, localCallsBefore: counters.localCalls };
    process.node = node;
    process.incarnation = incarnation;
    deputy.place(node, incarnation);
  }

  /** Usage counts from the beginning of the guest's incarnation, which is when it was placed. */
  #usage(pid: Pid, node: NodeId, { cpuMs, memoryBytes, localCalls, threads, waiting }: Usage): void {
    const resident = this.#residents.get(pid);
    if (!resident || resident.stay.node !== node) return;
    const { counters } = resident.process;
    resident.memoryBytes = Number(memoryBytes);
    resident.threads = { count: threads, waiting };
    counters.cpuMs.set(node, resident.stay.cpuMsBefore + cpuMs);
    counters.localCalls = resident.stay.localCallsBefore + Number(localCalls);
  }

  /** The role says that the process is over: the kernel follows. */
  #roleEnded(pid: Pid, end: ProcessEnd): void {
    const resident = this.#residents.get(pid);
    // Without one the kernel was first, and the role has only followed.
    if (resident) this.kernel.processes.end(resident.process, exitStatus(end));
  }

  /** A thread that runs here may be in a call of the system, with the number of a file, until its worker is gone. */
  #threadsGone({ pid }: Process): Promise<void> | null {
    const guest = this.#residents.get(pid)?.guest;
    // Not ended now, but when the role has had it discarded, which is before the next microtask.
    return guest?.running ? Promise.resolve().then(() => guest.end()) : null;
  }

  /** The kernel says that the process is over: the role follows, and the guest is discarded wherever it is. */
  #ended(process: Process, status: ExitStatus): void {
    const resident = this.#residents.get(process.pid);
    if (!resident) return;
    resident.deputy.close();
    const { roles, ended } = this.#environment;
    roles().kill(process.pid, (status.how === 'signalled' ? status.signal : KILL).number);
    this.#residents.delete(process.pid);
    ended(process, status);
  }
}

const KILL = signalNamed('KILL');
const ABRT = signalNamed('ABRT');
const NOTHING = { read: false, write: false, seek: false, tell: false };

/** What the role of a move says, as the kernel and the user see it. A trap is SIGABRT, as in other runtimes. */
function exitStatus({ cause, status, report, node }: ProcessEnd): ExitStatus {
  switch (cause) {
    case 'exit':
      return { how: 'exited', code: status };
    case 'trap':
      return { how: 'signalled', signal: ABRT, report };
    case 'killed':
    case 'lost':
      return { how: 'signalled', signal: KILL, report };
    case 'engine':
      return { how: 'failed', report: report ?? 'the engine failed', node };
    default:
      return unreachable(cause);
  }
}
