/** A kernel that is run by the engine alone, without a node, with system calls from `node:wasi`. */
import { openSync } from 'node:fs';
import os from 'node:os';
import { WASI } from 'node:wasi';
import { Machine } from '../../src/capture/running/machine.ts';
import type { Host } from '../../src/capture/running/host.ts';
import type { Outcome } from '../../src/capture/running/machine.ts';
import { createMemory } from '../../src/capture/layout/memory.ts';
import type { Program } from '../../src/capture/running/program.ts';
import { CONTROL_PAGES } from '../../src/capture/rewriting/rewrite.ts';

/** Bits of the attention word, as these runs use them. */
export const CAPTURE = 1;
export const GO_ON = 2;
/** The word of the control memory that says whether a run has slow loops: 1 or 0. */
export const SLOW = 1;

export interface RunOptions {
  readonly args: readonly string[];
  /** Its first word is the attention word. */
  readonly control: WebAssembly.Memory;
}

export function controlMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 16, maximum: CONTROL_PAGES, shared: true });
}

let output: number | undefined;

/** One run of a program, or the rest of one. Each has its own instance and memory. */
export class EngineRun {
  readonly memory: WebAssembly.Memory;
  readonly #machine: Machine;
  readonly #words: Int32Array;

  /** @param from whose memory the run goes on with */
  constructor(program: Program, { args, control }: RunOptions, from?: EngineRun) {
    const [size] = program.memories;
    if (size === undefined) throw new TypeError('the module has no memory');
    const pages = from === undefined ? size.initialPages : from.memory.buffer.byteLength / 65_536;
    this.memory = createMemory({ ...size, initialPages: pages });
    if (from !== undefined) new Uint8Array(this.memory.buffer).set(new Uint8Array(from.memory.buffer));
    output ??= openSync(os.devNull, 'w');
    const wasi = new WASI({
      version: 'preview1',
      args: ['program', ...args],
      preopens: { '.': '.' },
      stdout: output,
      stderr: output,
      returnOnExit: true,
    });
    const words = new Int32Array(control.buffer, 0, 2);
    this.#words = words;
    const host: Host = {
      imports: wasi.getImportObject() as WebAssembly.Imports,
      memories: [this.memory],
      control,
      poll: () => this.#poll(),
      resumed: (slow) => {
        words[SLOW] = slow ? 1 : 0;
      },
    };
    this.#machine = new Machine(program, host);
    this.#machine.prepare();
    wasi.finalizeBindings({ exports: this.#machine.exports }, { memory: this.memory });
  }

  /** Runs until it ends or is captured; with a state the rest behind it. */
  run(captured?: Outcome & { readonly type: 'captured' }): Outcome {
    try {
      return captured === undefined ? this.#machine.start() : this.#machine.resume(captured.state);
    } catch (error) {
      // node:wasi leaves the program by throwing a value that is no Error.
      if (error instanceof Error || error instanceof WebAssembly.RuntimeError) throw error;
      return { type: 'returned', value: undefined };
    }
  }

  #poll(): void {
    const wanted = Atomics.exchange(this.#words, 0, 0);
    if (wanted & CAPTURE) this.#machine.unwind();
  }
}
