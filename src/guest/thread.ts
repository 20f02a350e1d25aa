/**
 * One thread of a guest, inside its worker: runs the machine from the start or from a state, until its code ends or
 * is captured, and says how that went.
 */
import { assert } from '../base/assert.ts';
import { locate } from '../capture/locate.ts';
import { Machine, type Outcome } from '../capture/machine.ts';
import type { AnyProgram } from '../capture/prepare.ts';
import { StayingMachine } from '../capture/staying.ts';
import type { MachineState } from '../capture/state.ts';
import { type GuestCalls, type RunningProcess, guestCalls } from './calls.ts';
import { Attention, ControlBlock } from './control.ts';
import { DescriptorTable } from './descriptors.ts';
import { PREVIEW1_MODULE } from './imports.ts';
import { GuestClocks, GuestExit, type Machinery } from './local.ts';
import { RandomSupply } from './random.ts';
import type { GuestContext, GuestOrder, GuestReport, GuestSetup } from './messages.ts';

export class GuestThread {
  readonly #program: AnyProgram;
  readonly #control: ControlBlock;
  readonly #machinery: Machinery;
  readonly #calls: GuestCalls;
  readonly #machine: Machine | StayingMachine;
  /** Of the first order: it goes on while the process stays here. */
  #process: RunningProcess | null = null;

  /** Links the program and does all that needs no state: a process that arrives is frozen while its state is taken up. */
  constructor(setup: GuestSetup, program: AnyProgram, machinery: Machinery) {
    const { memories, memory, control: controlMemory, descriptors } = setup;
    const control = new ControlBlock(controlMemory);
    this.#program = program;
    this.#control = control;
    this.#machinery = machinery;
    this.#calls = guestCalls({
      memory,
      control,
      table: new DescriptorTable(descriptors, () => control.tableVersion),
      random: new RandomSupply((bytes) => machinery.randomFill(bytes)),
      process: () => this.#running(),
      unwind: () => this.#machine.unwind(),
      leave: (error) => this.#machine.leave(error),
    });
    const imports = { [PREVIEW1_MODULE]: this.#calls.imports };
    this.#machine =
      program.reason === null
        ? new Machine(program, { imports, memories, control: controlMemory, poll: () => this.#poll() })
        : new StayingMachine(program, { imports, memories });
    this.#machine.prepare();
  }

  /**
   * Runs until the code has left the stack.
   * @param takenUp called when a state has been taken up, before any of its code runs
   */
  run({ context, state }: GuestOrder, takenUp: () => void): GuestReport {
    this.#process ??= this.#begin(context);
    const { clocks } = this.#process;
    const calls = this.#calls;
    const common = (): Pick<GuestReport, 'cpuNanos' | 'localCalls' | 'monotonic'> => ({
      cpuNanos: clocks.cpu(),
      localCalls: calls.progress.localCalls,
      monotonic: clocks.monotonic(),
    });
    try {
      const outcome = state ? this.#resume(state, takenUp) : this.#start();
      if (outcome.type === 'captured') return { type: 'captured', state: outcome.state, ...common() };
      return { type: 'exited', status: 0, ...common() };
    } catch (error) {
      if (error instanceof GuestExit) return { type: 'exited', status: error.status, ...common() };
      if (isTrap(error)) return { type: 'trapped', message: this.#explain(error), ...common() };
      const exception = this.#machine.explain(error);
      if (exception !== null) return { type: 'trapped', message: exception, ...common() };
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { type: 'failed', message, ...common() };
    }
  }

  #start(): Outcome {
    this.#control.holdWhileStopped();
    return this.#machine.start();
  }

  /** A process that is stopped is taken up all the same: it has arrived, and whoever moved it wants to know. */
  #resume(state: MachineState, takenUp: () => void): Outcome {
    this.#calls.progress.resumed();
    return this.#machine.resume(state, undefined, () => {
      takenUp();
      this.#control.holdWhileStopped();
    });
  }

  #begin({ args, env, monotonicOffset, cpuNanos }: GuestContext): RunningProcess {
    return { args, env, clocks: new GuestClocks(this.#machinery, monotonicOffset, cpuNanos) };
  }

  #running(): RunningProcess {
    assert(this.#process, 'code runs after its first order');
    return this.#process;
  }

  /** At a safepoint with attention raised: sleeps while stopped, leaves if a capture is wanted. */
  #poll(): void {
    this.#control.holdWhileStopped();
    if (this.#control.attention & Attention.capture) this.#machine.unwind();
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
