/** One step of a program, in a worker of its own: from its start or from a state to the next safepoint, or to its end. */
import { parentPort, workerData } from 'node:worker_threads';
import { Machine } from '../machine.ts';
import { Program } from '../program.ts';
import { CONTROL_PAGES } from '../rewrite.ts';
import { decodeState, encodeState } from '../state.ts';
import { ProgramExit, wasiShim } from './wasi.ts';

export interface Step {
  readonly bytes: Uint8Array;
  readonly rewritten: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** null: from the start. */
  readonly from: Captured | null;
  /** Not to the next safepoint, but to the end. */
  readonly whole: boolean;
}

/** A captured thread, as bytes. */
export interface Captured {
  readonly state: Uint8Array;
  /** It was captured in an import, which is called again by the resume; a poll is passed over by the machine itself. */
  readonly inImport: boolean;
}

export interface StepEnd {
  /** null: it has ended. */
  readonly captured: Captured | null;
  readonly status: number | null;
  readonly trap: string | null;
  readonly stdout: string;
}

function run({ bytes, rewritten, memory, args, env, from, whole }: Step): StepEnd {
  let stdout = '';
  let inImport = false;
  let letThrough = from?.inImport ?? false;
  const safepoint = (isImport: boolean): void => {
    inImport = isImport;
    if (!whole && !(isImport && letThrough)) machine.unwind();
    letThrough = false;
  };
  const shim = wasiShim({
    args,
    env,
    memory: () => memory,
    stdout: (part) => (stdout += Buffer.from(part).toString('latin1')),
  });
  const imports = new Proxy(shim, {
    get:
      (calls, name) =>
      (...values: never[]): unknown => {
        safepoint(true);
        return calls[String(name)]!(...values);
      },
  });
  const control = new WebAssembly.Memory({ initial: 1, maximum: CONTROL_PAGES, shared: true });
  new Int32Array(control.buffer)[0] = whole ? 0 : 1;
  const machine = new Machine(Program.open(bytes, rewritten), {
    imports: { wasi_snapshot_preview1: imports },
    memories: [memory],
    control,
    poll: () => safepoint(false),
  });
  const ended = (status: number | null, trap: string | null): StepEnd => ({ captured: null, status, trap, stdout });
  try {
    const outcome = from === null ? machine.start() : machine.resume(decodeState(from.state));
    if (outcome.type === 'returned') return ended(0, null);
    return { captured: { state: encodeState(outcome.state), inImport }, status: null, trap: null, stdout };
  } catch (error) {
    if (error instanceof ProgramExit) return ended(error.status, null);
    if (error instanceof WebAssembly.RuntimeError) return ended(null, error.message);
    throw error;
  }
}

parentPort?.postMessage(run(workerData as Step));
