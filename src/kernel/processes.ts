/**
 * The processes whose home is this node: how they come to be, get signals and end.
 */
import type { Signal } from '../abi/signals.ts';
import { assert } from '../base/assert.ts';
import type { Log } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { incarnation, makePid, type NodeId, type Pid, PIDS_PER_NODE } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { encodeOsText } from '../base/os-text.ts';
import type { Directory, OpenFile, Socket } from '../vfs/openfile.ts';
import type { Descriptor } from './descriptors.ts';
import { Process, type Surroundings } from './process.ts';
import { LISTENER_RIGHTS, PREOPEN_RIGHTS, type RightsPair } from './rights.ts';
import type { ExitStatus } from './status.ts';
import type { StayReason } from './stay.ts';
import { noSuchProcess } from './unknown.ts';

/** One of the descriptors 0, 1 and 2; null: it is not open. */
export type StdioFile = { readonly file: OpenFile; readonly rights: RightsPair } | null;

export interface SpawnSpec {
  readonly ppid: Pid | null;
  /** argv[0] first. */
  readonly args: readonly string[];
  /** `NAME=value` entries. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly stdio: readonly [StdioFile, StdioFile, StdioFile];
  /** Sockets that listen. They come right behind the standard streams, where programs look for them (LISTEN_FDS). */
  readonly listeners: readonly Socket[];
  readonly preopens: readonly { readonly name: string; readonly directory: Directory }[];
  /** Reasons to stay from the start on, such as `user_lock`. */
  readonly stay: readonly StayReason[];
}

/** What the process table tells the node. Called when the table has done its part; may call back into it. */
export interface ProcessEvents {
  /** It is about to end. @returns when none of its threads can be using a file itself any more; null: none does */
  ending(process: Process): Promise<void> | null;
  /** The guest, wherever it is, must end. Its descriptors are closed and its waiters have been told. */
  ended(process: Process, status: ExitStatus): void;
  /** The guest must not execute (SIGSTOP), or may again (SIGCONT). */
  stopped(process: Process, stopped: boolean): void;
  /** The process has another descriptor at this number now, other rights or flags, or none (null). */
  descriptorChanged(process: Process, fd: number, descriptor: Descriptor | null): void;
}

export interface ProcessesOptions {
  readonly node: NodeId;
  readonly surroundings: Surroundings;
  readonly log: Log;
  readonly events: ProcessEvents;
  /** The number to go on from, 1 to 65535: kept by the node across restarts, so that no pid is soon given again. */
  readonly firstSerial: number;
}

export class Processes {
  readonly #options: ProcessesOptions;
  readonly #byPid = new Map<Pid, Process>();
  #living = 0;
  #nextSerial: number;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#nextSerial = options.firstSerial;
  }

  /** Where to go on after a restart: see {@link ProcessesOptions.firstSerial}. */
  get nextSerial(): number {
    return this.#nextSerial;
  }

  /** All of them, in the order of their creation; those that have ended until they are reaped. */
  list(): readonly Process[] {
    return [...this.#byPid.values()];
  }

  /** @throws GodwitError `unknown_process` */
  get(pid: number): Process {
    const process = this.find(pid);
    if (process === null) throw new GodwitError('unknown_process', noSuchProcess(pid));
    return process;
  }

  find(pid: number): Process | null {
    return this.#byPid.get(pid as Pid) ?? null;
  }

  /**
   * Makes a process, without a guest so far: the caller starts one and calls `process.begin()`, or ends it. Files of
   * the spec belong to the process from then on.
   * @throws GodwitError `limit` if the node or the process has too much of something; the files are closed then
   */
  spawn(spec: SpawnSpec): Process {
    try {
      this.#checkLimits(spec);
    } catch (error) {
      for (const file of filesOf(spec)) file.close();
      throw error;
    }
    const { node, surroundings, events } = this.#options;
    const process: Process = new Process(
      {
        pid: this.#newPid(),
        ppid: spec.ppid,
        command: spec.args,
        args: spec.args.map(encodeOsText),
        env: spec.env.map(encodeOsText),
        cwd: spec.cwd,
      },
      surroundings,
      { node, incarnation: incarnation(1) },
      (fd, descriptor) => events.descriptorChanged(process, fd, descriptor),
    );
    openInitial(process, spec);
    for (const reason of spec.stay) process.stay.add(reason);
    this.#byPid.set(process.pid, process);
    this.#living++;
    return process;
  }

  /** Ends a process: closes its descriptors, tells its waiters, then the node. Harmless if it has ended. */
  end(process: Process, status: ExitStatus): void {
    if (process.ended) return;
    this.#living--;
    process.end(status, this.#options.events.ending(process));
    this.#options.events.ended(process, status);
  }

  /**
   * Sends a signal, whose default action is carried out at once. Harmless if the process has ended.
   */
  signal(process: Process, signal: Signal): void {
    if (process.ended) return;
    switch (signal.action) {
      case 'terminate':
        this.end(process, { how: 'signalled', signal, report: null });
        break;
      case 'stop':
        this.#setStopped(process, true);
        break;
      case 'continue':
        this.#setStopped(process, false);
        break;
      case 'ignore':
        break;
    }
  }

  /** Forgets a process that has ended, when the one who started it has its status. */
  reap(process: Process): void {
    assert(process.ended, 'only a process that has ended is reaped');
    this.#byPid.delete(process.pid);
  }

  #setStopped(process: Process, stopped: boolean): void {
    if (process.stopped === stopped) return;
    process.stopped = stopped;
    this.#options.events.stopped(process, stopped);
  }

  #checkLimits(spec: SpawnSpec): void {
    if (this.#living >= LIMITS.processesPerNode) {
      throw new GodwitError('limit', `this node is home to ${LIMITS.processesPerNode} processes already`);
    }
    const bytes = [...spec.args, ...spec.env].reduce((sum, text) => sum + encodeOsText(text).length + 1, 0);
    if (bytes > LIMITS.argumentBytes) {
      throw new GodwitError(
        'limit',
        `arguments and environment of ${bytes} bytes; ${LIMITS.argumentBytes} are allowed`,
      );
    }
    const descriptors = spec.stdio.length + spec.listeners.length + spec.preopens.length;
    if (descriptors > LIMITS.descriptorsPerProcess) {
      throw new GodwitError('limit', `${descriptors} descriptors; a process may have ${LIMITS.descriptorsPerProcess}`);
    }
  }

  /** @throws GodwitError `limit` if all are in use */
  #newPid(): Pid {
    for (let tries = 1; tries < PIDS_PER_NODE; tries++) {
      const pid = makePid(this.#options.node, this.#nextSerial);
      this.#nextSerial = this.#nextSerial + 1 === PIDS_PER_NODE ? 1 : this.#nextSerial + 1;
      if (!this.#byPid.has(pid)) return pid;
    }
    throw new GodwitError('limit', 'all pids of this node are in use');
  }
}

function filesOf(spec: SpawnSpec): readonly OpenFile[] {
  return [
    ...spec.stdio.flatMap((stream) => stream?.file ?? []),
    ...spec.listeners,
    ...spec.preopens.map(({ directory }) => directory),
  ];
}

/** The numbers are a contract: 0 to 2 the standard streams, then the sockets, then the directories. */
function openInitial({ descriptors }: Process, { stdio, listeners, preopens }: SpawnSpec): void {
  for (const [fd, stream] of stdio.entries()) if (stream !== null) descriptors.openAt(fd, stream.file, stream.rights);
  let fd = stdio.length;
  for (const socket of listeners) descriptors.openAt(fd++, socket, LISTENER_RIGHTS);
  for (const { name, directory } of preopens) {
    descriptors.openAt(fd++, directory, PREOPEN_RIGHTS, encodeOsText(name));
  }
}
