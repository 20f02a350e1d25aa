/**
 * What a worker of fresh-workers.ts begins with: makes the modules of the guest's worker, whose text it is given, and
 * runs them. Plain JavaScript, and no files are read: this is done some ten thousand times by a test.
 *
 * Three things are not as in a node. Polls count down first, so that a test can say at which of them a guest leaves; the
 * clocks of the guest go on only when it looks at them, and its random numbers are always the same, unless the test wants
 * real ones, so that two runs of a program can end with the same memory; and nothing writes a log.
 */
'use strict';
const vm = require('node:vm');
const { workerData } = require('node:worker_threads');

/** @type {import('./fresh-workers.ts').FreshWorkerData} */
const { files, main, machine, runtime, words } = workerData;
const shared = new Int32Array(words);
const { SKIP, PASSED, REAL_TIME, CLOCK } = workerData.places;

const { start: START, step: STEP } = workerData.steady;
const asked = new BigInt64Array(words);
const isReal = () => Atomics.load(shared, REAL_TIME) === 1;
/** Programs may want to see time go on. */
const steadyNanos = () => START + STEP * Atomics.add(asked, CLOCK, 1n);

const { bigint: monotonic } = process.hrtime;
const { threadCpuUsage } = process;
process.hrtime.bigint = () => (isReal() ? monotonic() : steadyNanos());
process.threadCpuUsage = () => (isReal() ? threadCpuUsage.call(process) : { user: 0, system: 0 });
const realClock = { wallNanos: () => (isReal() ? BigInt(Date.now()) * 1_000_000n : steadyNanos()) };
const { randomFillSync } = require('node:crypto');
const steadyFill = (bytes) => (isReal() ? randomFillSync(bytes) : bytes.fill(7));

/** A module with these exports. */
function given(name, exports) {
  const keys = Object.keys(exports);
  return new vm.SyntheticModule(
    keys,
    function set() {
      for (const key of keys) this.setExport(key, exports[key]);
    },
    { identifier: name },
  );
}

const made = new Map();
for (const [url, text, cachedData] of files) {
  const initializeImportMeta = (meta) => {
    meta.url = url;
  };
  made.set(url, new vm.SourceTextModule(text, { identifier: url, cachedData, initializeImportMeta }));
}
made.set(runtime, given(runtime, { realClock }));

function find(specifier, { identifier }) {
  if (!specifier.startsWith('node:')) return made.get(new URL(specifier, identifier).href);
  const key = specifier === 'node:crypto' && identifier === main ? 'random' : specifier;
  let found = made.get(key);
  if (found === undefined) {
    const builtin = require(specifier);
    found = given(key, key === 'random' ? { randomFillSync: steadyFill } : { default: builtin, ...builtin });
    made.set(key, found);
  }
  return found;
}

async function run() {
  const real = made.get(machine);
  await real.link(find);
  await real.evaluate();
  const { Machine } = real.namespace;
  class CountingMachine extends Machine {
    constructor(program, host) {
      const poll = () => {
        // Not left yet: the machine unwinds the stack and takes it up again in the same instance.
        if (Atomics.load(shared, SKIP) > 0 && Atomics.sub(shared, SKIP, 1) > 0) Atomics.add(shared, PASSED, 1);
        else host.poll();
      };
      super(program, { ...host, poll });
    }
  }
  made.set(machine, given(machine, { ...real.namespace, Machine: CountingMachine }));
  await made.get(main).link(find);
  if (workerData.caches) {
    const caches = files.map(([url]) => {
      const module = made.get(url);
      return [
        url,
        module instanceof vm.SourceTextModule && module.status === 'linked' ? module.createCachedData() : undefined,
      ];
    });
    require('node:worker_threads').parentPort.postMessage(caches);
  } else await made.get(main).evaluate();
}

void run();
