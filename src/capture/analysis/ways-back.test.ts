/**
 * Every way in which an instruction can lead back to a loop's head, in a loop that is a counted one but for that: it must
 * meet polls for as long as it goes that way, and go on from a capture at any of them. Run as a test this file starts
 * itself as a thread, whose program goes round until its attention word is raised.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { moduleBytes } from '../../../test/spec/text.ts';
import { OP } from '../../wasm/opcodes.ts';
import { createControl } from '../layout/entries.ts';
import { Machine } from '../running/machine.ts';
import { Program } from '../running/program.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

interface Work {
  readonly bytes: Uint8Array;
  readonly control: WebAssembly.Memory;
}

/**
 * By the name of the branch (or what else leads there): code in a loop `$l` that goes back while `$again` is not 0 and
 * falls through else.
 */
const WAYS: Readonly<Record<string, string>> = {
  br: '(if (local.get $again) (then (br $l)))',
  brIf: '(br_if $l (local.get $again))',
  brTable: '(block $on (br_table $on $l (local.get $again)))',
  brOnNull: '(drop (br_on_null $l (table.get $t (i32.eqz (local.get $again)))))',
  brOnNonNull: `(block $on (br_if $on (i32.eqz (local.get $again)))
    (br_on_non_null $pass (table.get $t (i32.const 1))))`,
  'a clause': '(block $on (try_table (catch $e $l) (br_if $on (i32.eqz (local.get $again))) (throw $e)))',
  'a clause for all': '(block $on (try_table (catch_all $l) (br_if $on (i32.eqz (local.get $again))) (throw $e)))',
};

/**
 * run(): tells how often the loop was begun. What `br_on_non_null` passes on is a parameter of its loop.
 * @param rounds how often the loop goes back that way before its counter is looked at for the first time
 */
function looping(way: string, rounds: number): Promise<Uint8Array<ArrayBuffer>> {
  const passes = way.includes('$pass');
  return moduleBytes(`(module
    (import "env" "begin" (func $begin))
    (tag $e)
    (table $t 2 funcref)
    (elem (table $t) (i32.const 1) func $one)
    (func $one (result i32) (i32.const 1))
    (func (export "run") (result i32) (local $i i32) (local $rounds i32) (local $again i32)
      (call $begin)
      ${passes ? 'ref.func $one (loop $pass (param (ref func)) drop' : '(loop $l'}
      (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
      (local.set $again (i32.lt_u (local.get $rounds) (i32.const ${rounds})))
      ${way}
      ${passes ? 'ref.func $one' : ''}
      (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))
      ${passes ? 'drop' : ''})
      (i32.add (i32.mul (local.get $rounds) (i32.const 10)) (local.get $i))))`);
}

function goRound(): void {
  const { bytes, control } = workerData as Work;
  const machine: Machine = new Machine(Program.compile(bytes), {
    // Right before the loop: what stops it comes when it is running.
    imports: { env: { begin: () => parentPort!.postMessage('running') } },
    memories: [],
    control,
    poll: () => machine.unwind(),
  });
  parentPort!.postMessage(machine.start('run').type);
}

if (!isMainThread && (workerData as Work | null)?.control !== undefined) goRound();
else {
  for (const [name, way] of Object.entries(WAYS)) {
    test(`another thread stops a loop that goes back by ${name}`, { timeout: 60_000 }, async () => {
      const control = createControl();
      // As many rounds as there can be: some seconds, after which it would say that it has returned.
      const bytes = await looping(way, 0xffff_ffff);
      const worker = new Worker(new URL(import.meta.url), { workerData: { bytes, control } });
      try {
        assert.deepEqual(await once(worker, 'message'), ['running']);
        Atomics.store(new Int32Array(control.buffer), 0, 1);
        assert.deepEqual(await once(worker, 'message'), ['captured']);
      } finally {
        await worker.terminate();
      }
    });

    test(`such a loop is the same when it is captured: ${name}`, async () => {
      const program = subject(await looping(way, 100), 'run', [], () => ({ begin() {} }));
      const { end } = runOriginal(program);
      assert.equal(end, '1023');
      for (const wanted of [() => false, () => true, (tick: number) => tick % 7 === 3]) {
        assert.equal(runCaptured(program, wanted).end, end);
      }
    });
  }

  test('no branch is left out', () => {
    const branches = Object.keys(OP).filter((name) => /^br([A-Z]|$)/.test(name));
    const missing = branches.filter((name) => !(name in WAYS));
    assert.deepEqual(missing, []);
  });
}
