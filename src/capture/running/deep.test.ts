/**
 * Stacks whose records take more than there is room for. Run as a test this file starts itself as a thread with a large
 * stack: V8's own stack bounds records only as long as its code keeps all locals there.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { assemble } from '../../../test/support/text.ts';
import { LIMITS } from '../../base/limits.ts';
import { CONTROL_PAGES } from '../layout/entries.ts';
import { Machine } from './machine.ts';
import { Program } from './program.ts';
import { encodeState, staysBecause } from './state.ts';

/**
 * Calls itself `depth` times, then the host, and is one deeper for each that this says behind 1000; each frame has `locals`
 * of 8 bytes to save, and catches what can be caught.
 */
function recursion(locals: number): Uint8Array<ArrayBuffer> {
  const used = Array.from(
    { length: locals },
    (_, i) => `(local.set $sum (i64.add (local.get $sum) (local.get ${i + 2})))`,
  );
  return assemble(`(module
    (import "env" "tell" (func $tell (result i64)))
    (func $deep (export "deep") (param $depth i32) (result i64) (local $sum i64) (local ${'i64 '.repeat(locals)})
      (local.set 2 (i64.const 1))
      (block $caught
        (try_table (catch_all $caught)
          (if (local.get $depth)
            (then (local.set $sum (call $deep (i32.sub (local.get $depth) (i32.const 1)))))
            (else
              (local.set $sum (call $tell))
              (if (i64.ne (local.get $sum) (i64.const 1000))
                (then (local.set $sum
                  (call $deep (i32.wrap_i64 (i64.sub (local.get $sum) (i64.const 1000)))))))))
          ${used.join('')}
          (return (local.get $sum))))
      (i64.const -1)))`);
}

interface Deep {
  readonly machine: Machine;
  /** What the host says when it is asked next; it unwinds when it has nothing to say. */
  readonly answers: bigint[];
}

function machineFor(program: Program, maximum: number, portionBytes?: number): Deep {
  const answers: bigint[] = [];
  const machine: Machine = new Machine(program, {
    imports: { env: { tell: (): bigint => answers.shift() ?? machine.unwind() } },
    memories: [],
    control: new WebAssembly.Memory({ initial: 1, maximum, shared: true }),
    poll() {},
    ...(portionBytes !== undefined && { portionBytes }),
  });
  machine.initialise();
  return { machine, answers };
}

const LOCALS = 4000;
const DEPTH = Math.ceil(LIMITS.savedStackBytes / (8 * LOCALS)) + 10;
const STACK_MB = 2 * (LIMITS.savedStackBytes / 2 ** 20);

/** In a thread with a large stack. */
function goOnWhereItWas(): void {
  const { machine, answers } = machineFor(Program.compile(recursion(LOCALS)), CONTROL_PAGES);
  const captured = machine.call('deep', [DEPTH]);
  assert.ok(captured.type === 'captured');
  assert.equal(staysBecause(captured.state), 'deep_stack');
  assert.throws(() => encodeState(captured.state), { code: 'cannot_move', message: /^deep_stack: .* 64 MiB$/ });
  answers.push(1000n);
  const value = 1000n + BigInt(DEPTH + 1);
  assert.deepEqual(machine.resume(captured.state), { type: 'returned', value });
}

if (!isMainThread && workerData === LOCALS) goOnWhereItWas();
else {
  test('a stack that is too deep for an image goes on where it was', async () => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: LOCALS,
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    // Rejects with what the thread throws.
    assert.deepEqual(await once(worker, 'exit'), [0]);
  });

  test('a stack for whose records there is no room ends the program with an error that says so', () => {
    const program = Program.compile(recursion(1000));
    assert.equal(machineFor(program, CONTROL_PAGES).machine.call('deep', [20]).type, 'captured');
    // There is room for frames of 8000 bytes, but not for 20.
    const tooDeep = { name: 'RangeError', message: /^the stack is too deep to be captured/ };
    const { machine, answers } = machineFor(program, 2, 1);
    assert.throws(() => machine.call('deep', [20]), tooDeep);
    const captured = machine.call('deep', [3]);
    assert.ok(captured.type === 'captured');
    answers.push(1020n);
    assert.throws(() => machine.resume(captured.state), tooDeep, 'of several portions');
    answers.push(1000n);
    assert.deepEqual(machine.resume(captured.state), { type: 'returned', value: 1004n });
  });
}
