/** Run as a test this file starts itself as a thread: the thread's program spins until its attention word is raised. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { OP } from '../wasm/opcodes.ts';
import { I32 } from '../wasm/types.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { Assembler } from './code/assembler.ts';
import { Machine } from './running/machine.ts';
import { Program } from './running/program.ts';
import { createControl } from './layout/entries.ts';
import { rewrite } from './rewriting/rewrite.ts';

interface Work {
  readonly bytes: Uint8Array;
  readonly control: WebAssembly.Memory;
}

function spin(): void {
  const { bytes, control } = workerData as Work;
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes).module));
  const machine: Machine = new Machine(program, { imports: {}, memories: [], control, poll: () => machine.unwind() });
  parentPort!.postMessage('running');
  parentPort!.postMessage(machine.start('run').type);
}

/** A loop that does nothing, and one that counts in a local: neither has a call or a store. */
const LOOPS: Readonly<Record<string, Uint8Array>> = {
  empty: new Assembler().raw(OP.loop, 0x40).op(OP.br, 0).op(OP.end).done(),
  counting: new Assembler()
    .raw(OP.loop, 0x40)
    .get(0)
    .constant(1)
    .op(OP.i32Add)
    .op(OP.localTee, 0)
    .constant(-1)
    .op(0x47)
    .op(OP.brIf, 0)
    .op(OP.br, 0)
    .op(OP.end)
    .done(),
};

if (!isMainThread && (workerData as Work | null)?.control !== undefined) spin();
else {
  for (const [name, code] of Object.entries(LOOPS)) {
    test(`another thread stops a loop: ${name}`, { timeout: 60_000 }, async () => {
      const b = new ModuleBuilder();
      b.export('run', 'function', b.define([], [], [I32], code));
      const control = createControl();
      const worker = new Worker(new URL(import.meta.url), { workerData: { bytes: b.build(), control } });
      try {
        assert.deepEqual(await once(worker, 'message'), ['running']);
        Atomics.store(new Int32Array(control.buffer), 0, 1);
        assert.deepEqual(await once(worker, 'message'), ['captured']);
      } finally {
        await worker.terminate();
      }
    });
  }
}
