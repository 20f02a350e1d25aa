/**
 * The process of `overhead` that runs one variant of a program several times and prints the times. Argument: a Job.
 *
 * All variants get their system calls from `node:wasi`, so that only the code differs. That is kinder to the other two
 * than to Godwit, which has calls of its own (see the benchmark `syscall`); the kernels make a dozen calls each.
 *
 * V8 compiles a function with its baseline compiler first and never replaces code that is running. The first run
 * brings the optimised code of every hot function, which the later runs, each in a fresh instance, begin with.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { WASI } from 'node:wasi';
import { Machine } from '../../src/capture/running/machine.ts';
import { Program } from '../../src/capture/running/program.ts';
import { createControl } from '../../src/capture/layout/entries.ts';

export interface Job {
  readonly kind: 'plain' | 'godwit';
  /** Paths of the module to run and of the module it was made from. */
  readonly module: string;
  readonly original: string;
  readonly args: readonly string[];
  /** Given to it as `.`. */
  readonly directory: string;
  /** Where standard output goes; truncated by each run. */
  readonly output: string;
  /** Runs to measure, behind the first one. */
  readonly runs: number;
}

export interface Times {
  readonly status: number;
  /**
   * Milliseconds from instantiation to the end, of each measured run: CPU time of this thread, which is the same as the
   * time on the clock where nothing else runs, and still the guest's where something does.
   */
  readonly times: readonly number[];
  /** Milliseconds until V8 has taken the module: it validates all of it, and compiles a function when it is called. */
  readonly compile: number;
  /** The most memory that the process has had, in MB. */
  readonly peak: number;
}

/** Long enough for V8's background threads to finish the optimised code after the first run. */
const SETTLE_MS = 50;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

type Run = () => void;

const job = JSON.parse(process.argv[2] ?? '') as Job;
const original = readFileSync(job.original);
const bytes = readFileSync(job.module);
const beforeCompiling = performance.now();
const compiled = new WebAssembly.Module(bytes);
const compile = performance.now() - beforeCompiling;
const program = job.kind === 'godwit' ? Program.open(original, compiled) : null;

const times: number[] = [];
let status = 0;
for (let i = 0; i <= job.runs; i++) {
  const output = openSync(job.output, 'w');
  const run = prepare(output);
  const begin = cpuTime();
  status = statusOf(run);
  const time = cpuTime() - begin;
  closeSync(output);
  if (i > 0) times.push(time);
  else await sleep(SETTLE_MS);
}
const peak = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ status, times, compile, peak } satisfies Times));

/**
 * Milliseconds of CPU time of this thread. Linux adds up a thread's time when it leaves the processor or at the next
 * tick, up to 10 ms later: the short sleep makes it leave.
 */
function cpuTime(): number {
  Atomics.wait(sleeper, 0, 0, 0.1);
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function prepare(output: number): Run {
  const wasi = new WASI({
    version: 'preview1',
    args: ['program', ...job.args],
    preopens: { '.': job.directory },
    stdout: output,
    stderr: output,
    returnOnExit: true,
  });
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  return program === null ? () => runPlain(wasi, imports) : prepareGodwit(program, wasi, imports);
}

function runPlain(wasi: WASI, imports: WebAssembly.Imports): void {
  const instance = new WebAssembly.Instance(compiled, imports);
  wasi.finalizeBindings(instance);
  const { _start } = instance.exports;
  if (typeof _start !== 'function') throw new TypeError('the module is no command: it exports no _start');
  _start();
}

function prepareGodwit({ memories: [size] }: Program, wasi: WASI, imports: WebAssembly.Imports): Run {
  if (program === null || size === undefined) throw new TypeError('the module has no memory');
  const memory = new WebAssembly.Memory({ initial: size.initialPages, maximum: size.maximumPages, shared: true });
  const control = createControl();
  return () => {
    const machine = new Machine(program, { imports, memories: [memory], control, poll });
    wasi.finalizeBindings({ exports: machine.exports }, { memory });
    machine.start();
  };
}

/** node:wasi leaves the program by throwing a value that is no Error. */
function statusOf(run: Run): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (error instanceof Error || error instanceof WebAssembly.RuntimeError) throw error;
    return 1;
  }
}

/** Takes as little part in the run as the Asyncify variant's table does: nobody raises the attention word. */
function poll(): never {
  throw new Error('a poll fired');
}
