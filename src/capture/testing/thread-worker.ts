/** A thread of a thread group (thread-group.ts): runs what it is ordered, each time in a fresh instance. */
import { parentPort, workerData } from 'node:worker_threads';
import { Machine } from '../running/machine.ts';
import { Program } from '../running/program.ts';
import { decodeState, encodeState } from '../running/state.ts';
import type { GroupShared, Order, Report } from './thread-group.ts';
import { WaitQueue } from './wait-queue.ts';
import { ProgramExit, wasiShim } from './wasi.ts';

const { original, rewritten, args, output, numbers } = workerData as GroupShared;
const program = Program.open(original, rewritten);
const report = (message: Report): void => parentPort!.postMessage(message);

parentPort!.on('message', (order: Order) => {
  try {
    report(run(order));
  } catch (error) {
    if (error instanceof ProgramExit) report({ type: 'exit', status: error.status });
    else report({ type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

/** Output of all threads, in the order in which they wrote it. */
function write(bytes: Uint8Array): void {
  const at = Atomics.add(new Int32Array(output, 0, 1), 0, bytes.length);
  new Uint8Array(output).set(bytes, 4 + at);
}

function run({ thread, memory, control, queue: shared, state, until }: Order): Report {
  const queue = new WaitQueue(shared);
  const { seat } = thread;
  let deadline = until;
  const leave = (): boolean => Atomics.load(new Int32Array(control.buffer), 0) !== 0;
  const wait = (address: number, same: () => boolean, timeout: bigint): number => {
    if (queue.stateOf(seat) === 0) {
      if (!queue.begin(seat, address, same)) return 1;
      deadline = timeout < 0n ? Infinity : Date.now() + Number(timeout) / 1e6;
    }
    const result = queue.sleep(seat, deadline, leave);
    if (result === 'left') machine.unwind();
    return result === 'woken' ? 0 : 2;
  };
  const wasi = wasiShim({ args: ['program', ...args], env: [], memory: () => memory, stdout: write });
  const calls = new Proxy(wasi, {
    get: (known, name) => {
      if (name === 'clock_time_get') return clock;
      if (name === 'proc_exit') return (status: number): never => machine.leave(new ProgramExit(status));
      return known[String(name)];
    },
  });
  const clock = (_id: number, _precision: bigint, result: number): number => {
    new DataView(memory.buffer).setBigUint64(result, BigInt(Date.now()) * 1_000_000n, true);
    return 0;
  };
  const spawn = (argument: number): number => {
    const id = Atomics.add(new Int32Array(numbers), 0, 1) + 1;
    report({ type: 'spawn', thread: { id, argument, seat: id } });
    return id;
  };
  const machine: Machine = new Machine(program, {
    imports: { wasi_snapshot_preview1: calls, wasi: { 'thread-spawn': spawn } },
    memories: [memory],
    control,
    poll: () => machine.unwind(),
    waiting: {
      wait32: (_memory, address, expected, timeout) =>
        wait(address, () => Atomics.load(new Int32Array(memory.buffer), address / 4) === expected, timeout),
      wait64: (_memory, address, expected, timeout) =>
        wait(address, () => Atomics.load(new BigInt64Array(memory.buffer), address / 8) === expected, timeout),
      notify: (_memory, address, count) => queue.notify(address, count),
    },
  });
  const entry = thread.id === 0 ? '_start' : 'wasi_thread_start';
  const entryArguments = thread.id === 0 ? [] : [thread.id, thread.argument];
  const outcome =
    state === null
      ? machine.start(entry, entryArguments)
      : machine.resume(decodeState(state), entry, undefined, entryArguments);
  if (outcome.type === 'returned') return thread.id === 0 ? { type: 'exit', status: 0 } : { type: 'returned', thread };
  return { type: 'captured', thread, state: encodeState(outcome.state), until: deadline };
}
