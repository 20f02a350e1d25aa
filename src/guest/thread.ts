/**
 * One thread of a guest, inside its worker: runs the machine from the start or from a state, until its code ends or
 * is captured, and says how that went. The first order makes the machine; later ones go on with the same.
 */
import { locate } from '../capture/locate.ts';
import { Machine } from '../capture/machine.ts';
import { Program } from '../capture/program.ts';
import { type GuestCalls, guestCalls } from './calls.ts';
import { Attention, ControlBlock } from './control.ts';
import { DescriptorTable } from './descriptors.ts';
import { PREVIEW1_MODULE } from './imports.ts';
import { GuestClocks, GuestExit, type Machinery } from './local.ts';
import { RandomSupply } from './random.ts';
import type { GuestContext, GuestOrder, GuestReport, GuestSetup } from './messages.ts';

interface Run {
  readonly machine: Machine;
  readonly clocks: GuestClocks;
  readonly calls: GuestCalls;
}

export class GuestThread {
  readonly #setup: GuestSetup;
  readonly #program: Program;
  readonly #machinery: Machinery;
  readonly #control: ControlBlock;
  #run: Run | null = null;

  constructor(setup: GuestSetup, machinery: Machinery) {
    this.#setup = setup;
    this.#program = Program.open(setup.original, setup.rewritten);
    this.#machinery = machinery;
    this.#control = new ControlBlock(setup.control);
  }

  /** Runs until the code has left the stack. */
  run({ context, state }: GuestOrder): GuestReport {
    this.#run ??= this.#begin(context);
    const { machine, clocks, calls } = this.#run;
    const common = (): Pick<GuestReport, 'cpuNanos' | 'localCalls' | 'monotonic'> => ({
      cpuNanos: clocks.cpu(),
      localCalls: calls.progress.localCalls,
      monotonic: clocks.monotonic(),
    });
    try {
      this.#control.holdWhileStopped();
      if (state) calls.progress.resumed();
      const outcome = state ? machine.resume(state) : machine.start();
      if (outcome.type === 'captured') return { type: 'captured', state: outcome.state, ...common() };
      return { type: 'exited', status: 0, ...common() };
    } catch (error) {
      if (error instanceof GuestExit) return { type: 'exited', status: error.status, ...common() };
      if (isTrap(error)) return { type: 'trapped', message: this.#explain(error), ...common() };
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { type: 'failed', message, ...common() };
    }
  }

  #begin(context: GuestContext): Run {
    const control = this.#control;
    const { memory } = this.#setup;
    const clocks = new GuestClocks(this.#machinery, context.monotonicOffset, context.cpuNanos);
    const calls = guestCalls({
      memory,
      control,
      table: new DescriptorTable(this.#setup.descriptors, () => control.tableVersion),
      random: new RandomSupply((bytes) => this.#machinery.randomFill(bytes)),
      clocks,
      args: context.args,
      env: context.env,
      unwind: () => machine.unwind(),
    });
    const machine: Machine = new Machine(this.#program, {
      imports: { [PREVIEW1_MODULE]: calls.imports },
      memory: this.#program.memory === null ? null : memory,
      control: this.#setup.control,
      poll: () => this.#poll(machine),
    });
    return { machine, clocks, calls };
  }

  /** At a safepoint with attention raised: sleeps while stopped, leaves if a capture is wanted. */
  #poll(machine: Machine): void {
    this.#control.holdWhileStopped();
    if (this.#control.attention & Attention.capture) machine.unwind();
  }

  /** A trap in words: what, and where in the original module, innermost frame first. */
  #explain(error: Error): string {
    const frames = locate(this.#program, error).map(
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
