/** The modules rewritten by the engine, without captures; and with captures, each resumed in a fresh instance. */
import { createControl } from '../../src/capture/layout/entries.ts';
import { Machine, createMemory, decodeState, encodeState, locate } from '../../src/capture/index.ts';
import type { MachineState, Outcome, Program } from '../../src/capture/index.ts';
import { openProgram, prepare } from '../../src/capture/running/prepare.ts';
import type { AnyProgram } from '../../src/capture/running/prepare.ts';
import type { StayingProgram } from '../../src/capture/running/staying.ts';
import { waitingAlone } from '../../src/capture/running/alone.ts';
import type { Captor } from './captor.ts';
import type { Capturing, InstancePlan, ModulePlan } from './plan.ts';
import { stayingGuest } from './staying.ts';
import { World } from './world.ts';
import type { Guest } from './world.ts';

/** An entry that no module has: nothing is run behind the start function. */
const NO_ENTRY = 'spec-no-entry';

/** Bytes that a bulk instruction does at once: those of the scripts are short. */
const PIECE = 5;

export class RewrittenWorld extends World {
  /** Null in a world without captures. */
  readonly captor: Captor | null;
  captures = 0;
  /** Actions and instantiations with at least one capture. */
  captured = 0;
  /** Captures that were resumed where they were, for the state or another instance held references to theirs. */
  stayed = 0;
  /** Instances of modules that cannot be captured. */
  uncaptured = 0;
  readonly #shared = new WeakSet<WebAssembly.Memory>();

  constructor(captor: Captor | null) {
    super(true);
    this.captor = captor;
  }

  override instantiate({ module, capturing }: InstancePlan): Guest {
    const program = programOf(module);
    if (program.reason !== null) return this.#staying(program);
    const guest = new RewrittenGuest(this, program, capturing);
    guest.start();
    return guest;
  }

  #staying(program: StayingProgram): Guest {
    this.uncaptured++;
    const { imported } = program;
    const others = imported.filter(({ kind }) => kind !== 'memory');
    const imports = this.imports(others, (call) => this.printed.push(call));
    const wanted = imported.filter(({ kind }) => kind === 'memory');
    const memories = program.memories.map((size, i) =>
      wanted[i] === undefined ? createMemory(size) : this.#importedMemory(wanted[i], false),
    );
    return stayingGuest(program, imports, memories);
  }

  importsFor(program: Program, print: (call: string) => void): WebAssembly.Imports {
    return this.imports(program.imports, print);
  }

  /** The memories that the module imports, and behind them its own, made. @throws WebAssembly.LinkError */
  memoriesFor(program: Program): WebAssembly.Memory[] {
    const imported = program.original.imports.filter((entry) => entry.kind === 'memory');
    return program.memories.map((size, i) => {
      const entry = imported[i];
      if (entry !== undefined) return this.#importedMemory(entry, entry.memory.shared);
      return this.sharedInScript(createMemory(size), program.original.memories[i]!.shared);
    });
  }

  /** Notes whether a memory is shared as the scripts see it: here all memories are. */
  sharedInScript(memory: WebAssembly.Memory, shared: boolean): WebAssembly.Memory {
    if (shared) this.#shared.add(memory);
    return memory;
  }

  #importedMemory(imported: { readonly module: string; readonly name: string }, shared: boolean): WebAssembly.Memory {
    const memory = this.imports([imported], () => {})[imported.module]![imported.name];
    const isShared = memory instanceof WebAssembly.Memory && (this.#shared.has(memory) || memory === this.sharedMemory);
    if (memory instanceof WebAssembly.Memory && isShared === shared) return memory;
    throw new WebAssembly.LinkError(`${imported.module}.${imported.name} is not such a memory`);
  }
}

const programs = new WeakMap<ModulePlan, AnyProgram>();

function programOf(module: ModulePlan): AnyProgram {
  let program = programs.get(module);
  if (program === undefined) {
    program = openProgram(module.bytes, new WebAssembly.Module(prepare(module.bytes, PIECE)));
    programs.set(module, program);
  }
  return program;
}

/** Whether instances of the module, as far as there were any, can be captured. */
export function isCapturable(module: ModulePlan): boolean {
  return programs.get(module)?.reason === null;
}

class RewrittenGuest implements Guest {
  readonly #world: RewrittenWorld;
  readonly #program: Program;
  readonly #captor: Captor | null;
  readonly #imports: WebAssembly.Imports;
  readonly #capturing: Capturing;
  /** How many memories others see too: a fresh instance gets the same ones. */
  readonly #importedMemories: number;
  #memories: WebAssembly.Memory[];
  #machine: Machine;
  #control: WebAssembly.Memory;
  /** An import that was captured is called again by the resume: that call goes through. */
  #calledAgain = false;

  constructor(world: RewrittenWorld, program: Program, capturing: Capturing) {
    this.#world = world;
    this.#program = program;
    this.#capturing = capturing;
    this.#captor = capturing === 'never' ? null : world.captor;
    this.#importedMemories = program.original.imports.filter(({ kind }) => kind === 'memory').length;
    this.#memories = world.memoriesFor(program);
    this.#imports = world.importsFor(program, (call) => {
      this.#imported();
      world.printed.push(call);
    });
    [this.#machine, this.#control] = this.#fresh();
  }

  get exports(): WebAssembly.Exports {
    return this.#machine.exports;
  }

  start(): void {
    this.#run(() => this.#machine.start(NO_ENTRY));
  }

  call(name: string, args: readonly unknown[]): unknown {
    return this.#run(() => this.#machine.call(name, args));
  }

  frames(trap: WebAssembly.RuntimeError): string[] {
    return locate(this.#program, trap).map(({ index, offset }) => `${index}@${offset.toString(16)}`);
  }

  #run(begin: () => Outcome): unknown {
    this.#calledAgain = false;
    this.#watch(this.#captor?.begin() ?? false);
    const before = this.#world.captures;
    try {
      let outcome = begin();
      while (outcome.type === 'captured') outcome = this.#resume(outcome.state);
      return outcome.value;
    } finally {
      this.#watch(false);
      if (this.#world.captures > before) this.#world.captured++;
    }
  }

  #resume(state: MachineState): Outcome {
    if (state.hostReference || this.#capturing === 'in place') {
      this.#world.stayed++;
      return this.#machine.resume(state, NO_ENTRY);
    }
    const attention = this.#attention;
    this.#memories = this.#memories.map((memory, i) => (i < this.#importedMemories ? memory : this.#copyOf(memory, i)));
    [this.#machine, this.#control] = this.#fresh();
    this.#watch(attention);
    return this.#machine.resume(decodeState(encodeState(state)), NO_ENTRY);
  }

  #fresh(): [Machine, WebAssembly.Memory] {
    const control = createControl();
    const poll = (): void => this.#safepoint();
    const waiting = waitingAlone(
      () => this.#memories,
      () => this.#imported(),
    );
    const host = { imports: this.#imports, memories: this.#memories, control, poll, waiting };
    return [new Machine(this.#program, host), control];
  }

  /** A copy of a memory, as another machine would load it. */
  #copyOf(memory: WebAssembly.Memory, index: number): WebAssembly.Memory {
    const { memories, original } = this.#program;
    const copy = createMemory({ ...memories[index]!, initialPages: memory.buffer.byteLength / 65_536 });
    new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer));
    return this.#world.sharedInScript(copy, original.memories[index]!.shared);
  }

  /** The attention word: polls call the host while it is set. */
  get #attention(): boolean {
    return new Int32Array(this.#control.buffer)[0] !== 0;
  }

  #watch(attention: boolean): void {
    new Int32Array(this.#control.buffer)[0] = attention ? 1 : 0;
  }

  #imported(): void {
    if (this.#calledAgain) {
      this.#calledAgain = false;
      return;
    }
    if (!this.#attention) return;
    this.#calledAgain = true;
    this.#safepoint();
    this.#calledAgain = false;
  }

  #safepoint(): void {
    const decision = this.#captor!.safepoint();
    if (decision === 'rest') this.#watch(false);
    if (decision !== 'capture') return;
    this.#world.captures++;
    this.#machine.unwind();
  }
}
