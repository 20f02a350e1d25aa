/**
 * A guest from the daemon's main thread: its memory and its threads, each in a worker of its own (node/guests/guest-thread.ts).
 * It knows nothing of homes, nodes or descriptors: calls go out through {@link GuestEvents}, and whoever owns the guest
 * answers them.
 *
 * The threads leave their code together and take it up together: a capture is reported when every thread has left its
 * code, and after one none of them goes on before all have taken up their states. Whatever ends one thread but its
 * return ends the guest; the return of the first thread does too.
 */
import type { MachineState } from '../../capture/running/state.ts';
import { ERRNO } from '../../abi/errno.ts';
import { assert } from '../../base/assert.ts';
import { messageOf } from '../../base/errors.ts';
import { FIRST_SEAT, type Seat } from '../../base/ids.ts';
import { Attention, type ThreadCall } from '../../guest/control.ts';
import type { DescriptorChange } from '../../guest/descriptors.ts';
import type { GuestContext, GuestReport as Report, ThreadIdentity, ThreadReport } from '../../guest/messages.ts';
import { type Parked, ParkingLot } from '../../guest/parking.ts';
import { type GuestMemories, TakenMemories } from './guest-memories.ts';
import { GuestMembers, type Member } from './guest-members.ts';
import { HostedThread } from './guest-thread.ts';
import type { LoadedModule } from '../modules/modules.ts';
import type { WorkerPool } from './worker-pool.ts';

/** A thread that is captured: all of it but memory. */
export interface CapturedThread extends ThreadIdentity {
  /** null: it has not begun. */
  readonly state: MachineState | null;
  /** Its wait, if it was captured in one. */
  readonly parked: Parked | null;
}

export type GuestReport = Report<CapturedThread>;

export interface GuestEvents {
  /** After {@link Guest.goOn}, all states have been taken up: nothing can fail any more, and nothing of it has run. */
  takenUp(): void;
  /** The thread waits for this call: answer with `answer` or, if a capture is wanted and the call can wait, `interrupt`. */
  called(seat: Seat, call: ThreadCall): void;
  /** The code of all threads has left the stack, or that of one has and so ended the guest. */
  reported(report: GuestReport): void;
}

/** What `thread-spawn` gives when there can be no more threads now. */
const NO_THREAD = 0 - ERRNO.again;

const NO_DIRECT_USE = { shared: null, may: { read: false, write: false, seek: false, tell: false } };

export class Guest {
  readonly memories: TakenMemories;
  readonly #module: LoadedModule;
  readonly #pool: WorkerPool;
  readonly #events: GuestEvents;
  readonly #lot = new ParkingLot();
  readonly #members = new GuestMembers();
  /** Of the first thread, which is there as long as the guest. */
  readonly #first: HostedThread;
  /** Prepared, for other threads that are not there yet. */
  readonly #spare: HostedThread[] = [];
  #state: 'idle' | 'running' | 'ended' = 'idle';
  #ending: Promise<void> | null = null;
  #stopped = false;
  #context: GuestContext | null = null;
  /** See `ControlBlock.clockOffset`. */
  #clockOffset = 0n;
  /** Nothing but threads that have not taken up their states keeps it from going on. */
  #mayGo = false;
  /** When the first of its threads left its code for a capture. */
  #leftAt: number | null = null;
  /** CPU time of all threads when the guest last began to run. */
  #cpuBefore = 0n;
  /** The descriptors that the first thread may use itself; null: there are other threads, and it may use none. */
  #direct: Set<number> | null = new Set();

  /**
   * Reserves all that the guest needs and prepares its workers.
   * @param threads how many it will have
   * @throws RangeError if the machine cannot give the memory
   */
  constructor(module: LoadedModule, memories: GuestMemories, pool: WorkerPool, events: GuestEvents, threads = 1) {
    this.memories = new TakenMemories(memories, pool.memories);
    this.#module = module;
    this.#pool = pool;
    this.#events = events;
    this.#first = this.#host();
    this.expect(threads);
  }

  /** To be called before descriptors are told of: it is about to run with so many threads. Prepares their workers. */
  expect(threads: number): void {
    while (this.#hosted.length < threads) this.#spare.push(this.#host());
    this.#direct = threads === 1 ? new Set() : null;
  }

  /** Resolves when all workers are prepared. Rejects with a GodwitError if one cannot be, or at `end`. */
  async ready(): Promise<void> {
    await Promise.all(this.#hosted.map(({ ready }) => ready));
  }

  /** Whether {@link ready} takes no more than a moment from {@link prepare} on. */
  get readySoon(): boolean {
    return this.#hosted.every((hosted) => hosted.readySoon);
  }

  /** Has its workers compile and link what they need; those that do not know the program do so from the start. */
  prepare(): void {
    for (const hosted of this.#hosted) hosted.prepare();
  }

  /** The one that calls refer to. */
  get memory(): WebAssembly.Memory {
    return this.memories.host;
  }

  /** Bytes of all its memories. */
  get memoryBytes(): number {
    return this.memories.bytes;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  /** How many threads it has; before it runs, how many are expected. */
  get threads(): number {
    return this.#members.size > 0 ? this.#members.size : this.#hosted.length;
  }

  /** Which of its threads wait for each other. */
  get waiting(): readonly Seat[] {
    return this.#lot.waiting;
  }

  /** The id of the next thread that it starts, if that is not in use. */
  get nextThreadId(): number {
    return this.#members.nextId;
  }

  /** Runs the program from its start. @param clockOffset see `ControlBlock.clockOffset` */
  start(context: GuestContext, clockOffset: bigint): void {
    this.#clockOffset = clockOffset;
    const first = { seat: FIRST_SEAT, id: 0, argument: 0, cpuNanos: 0n };
    this.#begin(context, 0n);
    this.#order(this.#members.admit(first, this.#first), null, false);
  }

  /**
   * All threads take their states up, and wait for {@link letGo}: until then nothing of it executes, and all can be given up.
   * @param threads as they were reported, or come with an image: at least that of the first seat, each at its own
   * @param nextThreadId see {@link nextThreadId}
   * @param overCpuNanos CPU time of threads that are over
   */
  goOn(context: GuestContext, threads: readonly CapturedThread[], nextThreadId: number, overCpuNanos: bigint): void {
    this.#members.cameWith(overCpuNanos);
    if (threads.length > 1 || overCpuNanos > 0n) this.#lot.noteOthers();
    this.#begin(
      context,
      threads.reduce((sum, thread) => sum + thread.cpuNanos, overCpuNanos),
    );
    this.#members.nextId = nextThreadId;
    this.#lot.restore(new Map(threads.flatMap(({ seat, parked }) => (parked ? [[seat, parked] as const] : []))));
    const members = threads.map((thread) => ({
      thread,
      member: this.#members.admit(thread, this.#hostFor(thread.seat)),
    }));
    for (const hosted of this.#spare.splice(0)) void hosted.end();
    this.#mayGo = false;
    for (const { thread, member } of members) {
      member.hosted.raise(Attention.hold);
      member.takingUp = true;
      this.#order(member, thread.state, true);
    }
  }

  /** After {@link goOn}: its code goes on, once all of its threads have taken up their states. @param clockOffset see {@link start} */
  letGo(clockOffset: bigint): void {
    this.#clockOffset = clockOffset;
    for (const { hosted } of this.#members.all) hosted.clockOffset = clockOffset;
    this.#mayGo = true;
    this.#goTogether();
  }

  #goTogether(): void {
    const members = this.#members.all;
    if (!this.#mayGo || members.some(({ takingUp }) => takingUp)) return;
    for (const { hosted } of members) hosted.letGo();
  }

  /**
   * Starts a thread.
   * @param allowed whether the node has room for one more
   * @returns its id, or a negative number: there can be no more now
   */
  spawn(argument: number, allowed: boolean): number {
    const seat = this.#members.freeSeat();
    if (seat === null || !allowed) return NO_THREAD;
    // A descriptor that one thread closes may be in use by another: only the kernel can tell.
    this.#giveUpDirect();
    this.#lot.noteOthers();
    const identity = { seat, id: this.#members.newId(), argument, cpuNanos: 0n };
    const member = this.#members.admit(identity, this.#host());
    member.phase = 'starting';
    void this.#beginWhenReady(member);
    return identity.id;
  }

  /** Asks the threads to leave their code at their next safepoint; a report follows, maybe of the guest's end. */
  capture(): void {
    for (const member of this.#members.all) {
      if (member.phase === 'starting') member.phase = 'captured';
      member.hosted.raise(Attention.capture);
    }
    this.#lot.nudge();
  }

  /**
   * Takes {@link capture} back; a report may come all the same, if the thread was on its way.
   * @returns false: of several threads some may have left, and cannot go on before all have: the report will come
   */
  release(): boolean {
    if (this.#members.size > 1) return false;
    this.#first.lower(Attention.capture);
    return true;
  }

  /** Stops and continues, as SIGSTOP and SIGCONT do. A thread in a call stops when it is back in its code. */
  stop(): void {
    this.#stopped = true;
    for (const hosted of this.#hosted) hosted.raise(Attention.stop);
  }

  cont(): void {
    this.#stopped = false;
    for (const hosted of this.#hosted) hosted.lower(Attention.stop);
  }

  /** The call that {@link GuestEvents.called} told of is done. */
  answer(seat: Seat, result: number): void {
    this.#members.at(seat)?.hosted.answer(result);
  }

  /** That call has had no effect: the thread unwinds, and makes it again when it goes on. */
  interrupt(seat: Seat): void {
    this.#members.at(seat)?.hosted.interrupt();
  }

  /**
   * CPU time of its threads since it last began to run, in nanoseconds; as last known while they cannot be asked.
   * @param age in milliseconds that what is known may have
   */
  async cpuNanos(age: number): Promise<bigint> {
    const members = this.#members.all;
    await Promise.all(members.map(({ hosted }) => hosted.cpuNanos(age)));
    return this.#members.used.cpuNanos - this.#cpuBefore;
  }

  /** Ends its threads wherever they are. No event follows. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const hosted = this.#hosted;
    const allLeft = this.#state === 'idle' && hosted.every(({ hasLeft }) => hasLeft);
    const kept = allLeft && this.memories.wanted;
    this.#state = 'ended';
    await Promise.all(hosted.map((one) => one.end(kept)));
    // Not earlier: a worker that is being terminated may still write.
    this.memories.giveBack(allLeft);
  }

  /**
   * A descriptor that the first thread may use itself, or may no longer: as long as it has no others. Only while it
   * waits or is idle.
   */
  changeDescriptor(change: DescriptorChange): void {
    if (this.#direct === null) return;
    if (change.shared === null) this.#direct.delete(change.fd);
    else this.#direct.add(change.fd);
    this.#first.changeDescriptor(change);
  }

  get #hosted(): readonly HostedThread[] {
    const others = this.#members.all.filter(({ hosted }) => hosted !== this.#first);
    return [this.#first, ...others.map(({ hosted }) => hosted), ...this.#spare];
  }

  #host(): HostedThread {
    const hosted = new HostedThread(
      this.#module,
      { memories: this.memories.all, memory: this.memory, parking: this.#lot.shared },
      this.#pool,
    );
    if (this.#stopped) hosted.raise(Attention.stop);
    return hosted;
  }

  /** The worker of a thread that goes on: its own if it was captured here. */
  #hostFor(seat: Seat): HostedThread {
    if (seat === FIRST_SEAT) return this.#first;
    return this.#members.at(seat)?.hosted ?? this.#spare.pop() ?? this.#host();
  }

  /** @param cpuNanos of all its threads so far */
  #begin(context: GuestContext, cpuNanos: bigint): void {
    assert(this.#state === 'idle', `a guest that is ${this.#state} cannot run`);
    this.#state = 'running';
    this.#leftAt = null;
    this.#context = context;
    this.#cpuBefore = cpuNanos;
  }

  #order(member: Member, state: MachineState | null, arriving: boolean): void {
    const { identity: thread, hosted } = member;
    assert(this.#context, 'a guest that runs has its context');
    member.phase = 'running';
    hosted.clockOffset = this.#clockOffset;
    hosted.lower(Attention.capture);
    hosted.run(
      { context: this.#context, thread, state, arriving },
      {
        takenUp: () => this.#tookUp(member),
        called: (call) => this.#events.called(thread.seat, call),
        reported: (report) => this.#reported(member, report),
      },
    );
  }

  async #beginWhenReady(member: Member): Promise<void> {
    try {
      await member.hosted.ready;
      // Captured before it has begun, it begins when the others go on.
      if (member.phase === 'starting' && this.running) this.#order(member, null, false);
    } catch (error) {
      if (this.running) this.#finish({ type: 'failed', message: messageOf(error), ...this.#members.used });
    }
  }

  #tookUp(member: Member): void {
    if (!this.running) return;
    member.takingUp = false;
    if (this.#members.all.some(({ takingUp }) => takingUp)) return;
    this.#events.takenUp();
    this.#goTogether();
  }

  #reported(member: Member, report: ThreadReport): void {
    if (!this.running) return;
    if (report.type !== 'failed') {
      member.cpuNanos = report.cpuNanos;
      member.localCalls = report.localCalls;
    }
    if (report.type === 'captured') {
      member.phase = 'captured';
      member.state = report.state;
      this.#leftAt ??= performance.now();
    } else if (report.type === 'returned') {
      this.#members.remove(member);
      void member.hosted.end();
    } else return this.#finish({ ...report, ...this.#members.used });
    const members = this.#members.all;
    if (members.some(({ phase }) => phase !== 'captured')) return;
    const threads = members.map(({ identity: { seat, id, argument }, state, cpuNanos }) => {
      return { seat, id, argument, cpuNanos, state, parked: this.#lot.saved(seat) };
    });
    const leavingMs = this.#leftAt === null ? 0 : performance.now() - this.#leftAt;
    this.#finish({ type: 'captured', threads, leavingMs, ...this.#members.used });
  }

  #finish(report: GuestReport): void {
    this.#state = 'idle';
    this.#events.reported(report);
  }

  #giveUpDirect(): void {
    for (const fd of this.#direct ?? []) this.#first.changeDescriptor({ fd, ...NO_DIRECT_USE });
    this.#direct = null;
  }
}
