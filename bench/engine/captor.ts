/**
 * The worker of `reaction`: runs a kernel again and again, and says of each capture when it was made. After a capture the
 * run goes on in the same instance.
 */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Program } from '../../src/capture/running/program.ts';
import { warmUp } from '../../src/capture/running/warm.ts';
import { EngineRun } from './runs.ts';
import { threadNumber } from './waiting.ts';

export interface CaptorData {
  /** Path of the module, and what it was rewritten to. */
  readonly original: string;
  readonly rewritten: WebAssembly.Module;
  readonly args: readonly string[];
  readonly control: WebAssembly.Memory;
  readonly board: SharedArrayBuffer;
}

/**
 * Words of the board; `thread` is the number of the worker's thread. `time`, in nanoseconds of `process.hrtime`, counts
 * 64-bit words.
 */
export const BOARD = { state: 0, end: 1, thread: 2, time: 2, bytes: 24 } as const;
/** `running`: code of the program runs, or is about to. `told`: it has been captured at the time on the board. */
export const STATE = { between: 0, running: 1, told: 2 } as const;

function work({ original, rewritten, args, control, board }: CaptorData): void {
  // As a node's worker does before it is needed.
  warmUp();
  const words = new Int32Array(board);
  const times = new BigInt64Array(board);
  const program = Program.open(readFileSync(original), rewritten);
  words[BOARD.thread] = threadNumber();
  const say = (state: number): void => {
    Atomics.store(words, BOARD.state, state);
    Atomics.notify(words, BOARD.state);
  };
  while (Atomics.load(words, BOARD.end) === 0) {
    const run = new EngineRun(program, { args, control });
    say(STATE.running);
    for (let outcome = run.run(); outcome.type === 'captured'; outcome = run.run(outcome)) {
      times[BOARD.time] = process.hrtime.bigint();
      if (Atomics.load(words, BOARD.end) !== 0) return;
      say(STATE.told);
      Atomics.wait(words, BOARD.state, STATE.told);
    }
    say(STATE.between);
  }
}

if (parentPort !== null) work(workerData as CaptorData);
