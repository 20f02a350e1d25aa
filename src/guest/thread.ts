/**
 * One thread of a guest, inside its worker: runs the machine from the start or from a state, until its code ends or
 * is captured, and says how that went.
 */
import { assert } from '../base/assert.ts';
import { locate } from '../capture/running/locate.ts';
import { Machine, type Outcome } from '../capture/running/machine.ts';
import type { AnyProgram } from '../capture/running/prepare.ts';
import { StayingMachine } from '../capture/running/staying.ts';
import type { MachineState } from '../capture/running/state.ts';
import { THREAD_ENTRY, THREAD_SPAWN, THREADS_MODULE } from '../abi/wasi-threads.ts';
import { type GuestCalls, type RunningProcess, guestCalls } from './calls.ts';
import { Attention, ControlBlock, SPAWN } from './control.ts';
import { DescriptorTable } from './descriptors.ts';
import { PREVIEW1_MODULE } from './imports.ts';
import { GuestClocks, GuestExit, type Machinery } from './local.ts';
import { RandomSupply } from './random.ts';
import { ParkingLot, type Waiter } from './parking.ts';
import { waitingIn } from './waits.ts';
import type { GuestContext, GuestOrder, GuestSetup, ThreadIdentity, ThreadReport } from './messages.ts';

export class GuestThread {
  readonly #program: AnyProgram;
  readonly #control: ControlBlock;
  readonly #machinery: Machinery;
  readonly #calls: GuestCalls;
  readonly #machine: Machine | StayingMachine;
  /** Of the first order: it goes on while the process stays here. */
  #process: RunningProcess | null = null;
  /** Of the last order. */
  #thread: ThreadIdentity | null = null;

  /** Links the program and does all that needs no state: a process that arrives is frozen while its state is taken up. */
  constructor(setup: GuestSetup, program: AnyProgram, machinery: Machinery) {
    const { memories, memory, control: controlMemory, parking, descriptors } = setup;
    const control = new ControlBlock(controlMemory);
    const lot = new ParkingLot(parking);
    this.#program = program;
    this.#control = control;
    this.#machinery = machinery;
    this.#calls = guestCalls({
      memory,
      control,
      table: new DescriptorTable(descriptors, () => control.tableVersion),
      random: new RandomSupply((bytes) => machinery.randomFill(bytes)),
      alone: () => !lot.hasHadOthers,
      process: () => this.#running(),
      unwind: () => this.#machine.unwind(),
      leave: (error) => this.#machine.leave(error),
    });
    const imports = {
      [PREVIEW1_MODULE]: this.#calls.imports,
      [THREADS_MODULE]: { [THREAD_SPAWN]: (argument: number) => this.#spawn(argument) },
    };
    const unwind = (): never => this.#machine.unwind();
    const waiting = waitingIn(lot, memories, () => this.#waiter(), unwind);
    const resumed = (slow: boolean): void => {
      control.slow = slow;
    };
    this.#machine =
      program.reason === null
        ? new Machine(program, {
            imports,
            memories,
            control: controlMemory,
            poll: () => this.#poll(),
            waiting,
            resumed,
          })
        : new StayingMachine(program, { imports, memories });
    this.#machine.prepare();
  }

  /**
   * Runs until the code has left the stack.
   * @param takenUp called when a state has been taken up, before any of its code runs
   */
  run({ context, thread, state, arriving }: GuestOrder, takenUp: () => void): ThreadReport {
    this.#thread = thread;
    this.#process ??= this.#begin(context, thread);
    const { clocks } = this.#process;
    const calls = this.#calls;
    const common = (): Pick<ThreadReport, 'cpuNanos' | 'localCalls'> => ({
      cpuNanos: clocks.cpu(),
      localCalls: calls.progress.localCalls,
    });
    try {
      const outcome = state ? this.#resume(state, takenUp) : this.#start(arriving ? takenUp : () => {});
      if (outcome.type === 'captured') return { type: 'captured', state: outcome.state, ...common() };
      return thread.id === 0 ? { type: 'exited', status: 0, ...common() } : { type: 'returned', ...common() };
    } catch (error) {
      if (error instanceof GuestExit) return { type: 'exited', status: error.status, ...common() };
      if (isTrap(error)) return { type: 'trapped', message: this.#explain(error), ...common() };
      const exception = this.#machine.explain(error);
      if (exception !== null) return { type: 'trapped', message: exception, ...common() };
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { type: 'failed', message, ...common() };
    }
  }

  #start(takenUp: () => void): Outcome {
    this.#waitToGo(takenUp);
    return this.#machine.start(...this.#entry);
  }

  /**
   * All is ready for its code. A process that is stopped has arrived all the same, and whoever moved it wants to know;
   * what its clock shows is known when it may go on.
   */
  #waitToGo(takenUp: () => void): void {
    takenUp();
    this.#control.holdWhileStopped();
    this.#running().clocks.monotonicOffset = this.#control.clockOffset;
  }

  /** What runs in this thread, and what it is called with. */
  get #entry(): [entry: string, args: readonly number[]] {
    assert(this.#thread, 'code runs after an order');
    const { id, argument } = this.#thread;
    return id === 0 ? ['_start', []] : [THREAD_ENTRY, [id, argument]];
  }

  #resume(state: MachineState, takenUp: () => void): Outcome {
    this.#calls.progress.resumed();
    const [entry, args] = this.#entry;
    return this.#machine.resume(state, entry, () => this.#waitToGo(takenUp), args);
  }

  /** `wasi.thread-spawn`: the main thread makes the new one. */
  #spawn(argument: number): number {
    const id = this.#control.call(SPAWN, [argument]);
    this.#calls.progress.asked();
    if (id === null) return this.#machine.unwind();
    this.#control.holdWhileStopped();
    return id;
  }

  #waiter(): Waiter {
    assert(this.#thread, 'code runs after an order');
    const { seat } = this.#thread;
    return { seat, now: () => this.#running().clocks.monotonic(), attend: () => this.#attend() };
  }

  /** Sleeps while stopped. @returns whether a capture is wanted */
  #attend(): boolean {
    this.#control.holdWhileStopped();
    return (this.#control.attention & Attention.capture) !== 0;
  }

  #begin({ args, env }: GuestContext, { cpuNanos }: ThreadIdentity): RunningProcess {
    return { args, env, clocks: new GuestClocks(this.#machinery, cpuNanos) };
  }

  #running(): RunningProcess {
    assert(this.#process, 'code runs after its first order');
    return this.#process;
  }

  /** At a safepoint with attention raised: sleeps while stopped, leaves if a capture is wanted, or else is refreshed. */
  #poll(): void {
    const leaves = this.#attend();
    this.#control.lower(Attention.refresh);
    if (leaves) this.#machine.unwind();
  }

  /** A trap in words: what, and where in the original module, innermost frame first. */
  #explain(error: Error): string {
    const program = this.#program;
    const locations = program.reason === null ? locate(program, error) : program.locate(error);
    const frames = locations.map(
      ({ index, name, offset }) => `\n    at ${name ?? `function ${index}`} (offset 0x${offset.toString(16)})`,
    );
    return error.message + frames.join('');
  }
}

/**
 * A trap; the engine reports exhaustion of its stack as a RangeError, which the specification counts among the traps
 * of an embedding (core specification, appendix "Implementation Limitations").
 */
function isTrap(error: unknown): error is WebAssembly.RuntimeError | RangeError {
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}
