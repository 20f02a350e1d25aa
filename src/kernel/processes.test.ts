import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGNALS, signalNamed } from '../abi/signals.ts';
import { PIDS_PER_NODE } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { makePipe } from './testing/pipe.ts';
import { streamRights } from './rights.ts';
import type { ExitStatus } from './status.ts';
import { MemoryDirectory } from './testing/files.ts';
import { Harness, soFar, SPEC } from './testing/harness.ts';
import { ONE_THREAD } from './process.ts';

const EXITED: ExitStatus = { how: 'exited', code: 0 };

test('pids go on from the serial that the node gives, round the end, and pass over those in use', () => {
  const { kernel, process } = new Harness();
  const { processes } = kernel;
  assert.equal(process.pid, PIDS_PER_NODE + 1);
  assert.equal(processes.nextSerial, 2);
  for (let serial = 2; serial < PIDS_PER_NODE; serial++) {
    const short = processes.spawn(SPEC);
    assert.equal(short.pid, PIDS_PER_NODE + serial);
    processes.end(short, EXITED);
    processes.reap(short);
  }
  assert.equal(processes.nextSerial, 1);
  assert.equal(processes.spawn(SPEC).pid, PIDS_PER_NODE + 2);
});

test('an exit closes the descriptors, tells the waiters, then the node', () => {
  const directory = new MemoryDirectory();
  const harness = new Harness({}, directory);
  const { kernel, process } = harness;
  const [first, second] = [process.wait(), process.wait()];
  assert.ok(second.withdraw());
  harness.ok('proc_exit', { status: 0x1_2a });
  assert.equal(directory.closed, 1);
  let status: ExitStatus | null = null;
  first.whenDone((told) => (status = told));
  assert.deepEqual(status, { how: 'exited', code: 0x1_2a });
  assert.deepEqual(harness.told, [`ended ${process.pid}`]);
  assert.equal(process.stateWith(ONE_THREAD), 'ended');
  // It stays for the one who waits for it.
  assert.equal(kernel.processes.get(process.pid), process);
  process.wait().whenDone((told) => assert.equal(told, status));
  kernel.processes.reap(process);
  assert.throws(() => kernel.processes.get(process.pid), { code: 'unknown_process' });
});

test('default actions of signals', () => {
  for (const signal of SIGNALS) {
    const harness = new Harness();
    const { kernel, process } = harness;
    kernel.processes.signal(process, signal);
    assert.equal(process.ended, signal.action === 'terminate', signal.name);
    assert.equal(process.stopped, signal.action === 'stop', signal.name);
    if (process.ended) assert.deepEqual(process.status, { how: 'signalled', signal, report: null });
    kernel.processes.signal(process, signalNamed('CONT'));
    assert.equal(process.stopped, false);
  }
});

test('a stopped process is told once, and can be killed', () => {
  const harness = new Harness();
  const { kernel, process } = harness;
  kernel.processes.signal(process, signalNamed('STOP'));
  kernel.processes.signal(process, signalNamed('TSTP'));
  assert.equal(process.stateWith(ONE_THREAD), 'stopped');
  kernel.processes.signal(process, signalNamed('KILL'));
  kernel.processes.signal(process, signalNamed('KILL'));
  kernel.processes.end(process, EXITED);
  assert.deepEqual(harness.told, [`stopped ${process.pid} true`, `ended ${process.pid}`]);
});

/** What becomes of a process that raises a signal, by its witx number. */
function raised(signal: number): string {
  const harness = new Harness();
  const result = harness.call('proc_raise', { signal });
  if (typeof result === 'string') return result;
  const { status, stopped } = harness.process;
  if (status?.how === 'signalled') return status.signal.name;
  return stopped ? 'stopped' : 'runs';
}

test('a process that is killed before it has a guest never gets one', () => {
  const { kernel } = new Harness();
  const process = kernel.processes.spawn(SPEC);
  kernel.processes.signal(process, signalNamed('INT'));
  assert.equal(process.begin(), false);
  assert.equal(process.stateWith(ONE_THREAD), 'ended');
});

test('proc_raise acts on the process itself, by the numbers of witx', () => {
  assert.deepEqual([0, 6, 15, 16, 18, 27, 30, 31, 255].map(raised), [
    'runs',
    'ABRT',
    'TERM',
    'runs',
    'stopped',
    'runs',
    'SYS',
    'inval',
    'inval',
  ]);
});

test('a kill takes the call back that the process is in, without an effect', () => {
  const { reader, writer } = makePipe();
  const harness = new Harness({ stdio: [{ file: reader, rights: streamRights(true, false, false) }, null, null] });
  const buffer = new Uint8Array(4);
  const read = harness.block('fd_read', { fd: 0, buffers: [buffer] });
  let told = false;
  read.whenDone(() => (told = true));
  harness.kernel.processes.signal(harness.process, signalNamed('TERM'));
  assert.equal(told, false);
  assert.throws(() => writer.write([Uint8Array.of(1)], null), { message: 'pipe' });
  assert.deepEqual([...buffer], [0, 0, 0, 0]);
});

test('limits refuse politely and keep no file', () => {
  const { kernel } = new Harness();
  const refused = (spec: Partial<typeof SPEC>): void => {
    const directory = new MemoryDirectory();
    assert.throws(() => kernel.processes.spawn({ ...SPEC, preopens: [{ name: '/', directory }], ...spec }), {
      code: 'limit',
    });
    assert.equal(directory.closed, spec.preopens === undefined ? 1 : 0);
  };
  refused({ args: ['x'.repeat(LIMITS.argumentBytes)] });
  const many = Array.from({ length: LIMITS.descriptorsPerProcess }, () => ({
    name: '/',
    directory: new MemoryDirectory(),
  }));
  refused({ preopens: many });
  for (const { directory } of many) assert.equal(directory.closed, 1);
  for (let i = 1; i < LIMITS.processesPerNode; i++) kernel.processes.spawn(SPEC);
  refused({});
});

test('counters', () => {
  const { process } = new Harness();
  for (let i = 0; i < LIMITS.listEntries + 5; i++) process.counters.moved(i, 2 * i);
  assert.equal(process.counters.moves, LIMITS.listEntries + 5);
  assert.equal(process.counters.freezeMs.length, LIMITS.listEntries);
  assert.equal(process.counters.imageBytes[0], 10);
  process.counters.addCpu(process.node, 1.5);
  process.counters.addCpu(process.node, 2);
  assert.equal(process.counters.cpuTotalMs, 3.5);
});

test('a process that is stopped, blocked and moving says so', () => {
  const { reader } = makePipe();
  const harness = new Harness({ stdio: [{ file: reader, rights: streamRights(true, false, false) }, null, null] });
  const { process, kernel } = harness;
  assert.equal(kernel.processes.spawn(SPEC).stateWith(ONE_THREAD), 'starting');
  assert.equal(process.stateWith(ONE_THREAD), 'running');
  const read = harness.block('fd_read', { fd: 0, buffers: [new Uint8Array(1)] });
  assert.equal(process.stateWith(ONE_THREAD), 'blocked');
  kernel.processes.signal(process, signalNamed('STOP'));
  assert.equal(process.stateWith(ONE_THREAD), 'stopped');
  process.movingTo = process.node;
  assert.equal(process.stateWith(ONE_THREAD), 'moving');
  assert.ok(read.withdraw());
  assert.equal(soFar(read), null);
  assert.equal(process.blocked.size, 0);
});
