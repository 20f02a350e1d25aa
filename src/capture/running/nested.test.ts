/**
 * Functions of the host on the stack, between frames of the program: they cannot be unwound and called again, so that a
 * capture waits until they have returned, or is refused. Nothing may be done twice or be missing.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { Execution, GodwitError, Program, capture, resume } from '../index.ts';
import type { Embedding, Ended } from '../index.ts';

/** `run` goes down some frames, where it calls the host, and has a loop behind that; `inner` has one in each frame. */
const PROGRAM = `(module
  (import "env" "host" (func $host (result i32)))
  (import "env" "later" (func $later))
  (memory (export "memory") 1 1 shared)
  (global $depth (mut i32) (i32.const 0))
  (func $loop (local $i i32)
    (loop $l (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10)))))
  (func (export "run") (param $n i32) (result i32) (local $r i32)
    (local.set $r (call $deep (local.get $n)))
    (call $loop)
    (local.get $r))
  (func $deep (param $n i32) (result i32)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (if (i32.eqz (local.get $n)) (then (return (call $host))))
    (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
  (func $inner (export "inner") (param $n i32) (result i32)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (call $loop)
    (if (i32.eqz (local.get $n)) (then (return (i32.const 1000))))
    (i32.add (i32.const 1) (call $inner (i32.sub (local.get $n) (i32.const 1)))))
  (func (export "captures") (call $later))
  (func (export "traps") (call $loop) (unreachable))
  (func (export "waits") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000000)))
  (func (export "depth") (result i32) (global.get $depth)))`;

const refused = (code: string) => (error: unknown) => error instanceof GodwitError && error.code === code;
const program = Program.compile(await moduleBytes(PROGRAM));
const noHost: Embedding = { imports: () => ({ env: { host: () => assert.fail('called again'), later() {} } }) };

/** A started execution whose host function does this, and how often it was called. */
function hosted(host: (execution: Execution) => number) {
  const calls = { host: 0 };
  const execution = new Execution(program, {
    imports: (self) => ({
      env: { host: () => (calls.host++, host(self)), later: () => self.capture() },
    }),
  });
  execution.start();
  return { execution, calls };
}

function value(ended: Ended): unknown {
  assert.equal(ended.type, 'returned');
  return ended.type === 'returned' ? ended.value : null;
}

/** The directly called function and the one of `call`. */
const WAYS: Record<string, (execution: Execution, name: string, ...args: readonly number[]) => unknown> = {
  'a function of exports': ({ exports }, name, ...args) => (exports[name] as (...args: number[]) => unknown)(...args),
  call: (execution, name, ...args) => value(execution.call(name, ...args)),
};

describe('a program that its host calls back', () => {
  for (const [way, callBack] of Object.entries(WAYS)) {
    test(`by ${way}: a capture waits until the host's function has returned`, () => {
      const { execution, calls } = hosted((self) => {
        capture(self.control);
        return Number(callBack(self, 'inner', 20)) * 2;
      });
      const ended = execution.call('run', 5);
      assert.equal(ended.type, 'captured', 'in the loop behind it');
      assert.equal(calls.host, 1);
      const elsewhere = resume(program, execution.image(), noHost);
      for (const end of [elsewhere, execution.goOn()]) {
        assert.equal(value(end), 2045);
        assert.equal(value(end.execution.call('depth')), 6 + 21);
      }
      assert.equal(calls.host, 1);
    });

    test(`by ${way}: also with stacks that were taken up in portions, below and above`, () => {
      let captured = false;
      const { execution, calls } = hosted((self) => {
        if (!captured) {
          captured = true;
          self.capture();
        }
        capture(self.control);
        return Number(callBack(self, 'inner', 3000));
      });
      assert.equal(execution.call('run', 3000).type, 'captured');
      assert.equal(execution.goOn().type, 'captured');
      assert.equal(calls.host, 2, 'captured, and called again');
      assert.equal(value(resume(program, execution.image(), noHost)), 7000);
    });

    test(`by ${way}: what it asks for itself is refused, and it may go on`, () => {
      const { execution } = hosted((self) => {
        assert.throws(() => callBack(self, 'captures'), refused('cannot_move'));
        return 7;
      });
      assert.equal(value(execution.call('run', 1)), 8);
    });

    test(`by ${way}: a trap ends the call, and the capture comes then`, () => {
      const { execution, calls } = hosted((self) => {
        capture(self.control);
        assert.throws(() => callBack(self, 'traps'), WebAssembly.RuntimeError);
        return 7;
      });
      assert.equal(execution.call('run', 1).type, 'captured');
      assert.equal(value(execution.goOn()), 8);
      assert.equal(calls.host, 1);
    });

    test(`by ${way}: waits are waited for`, () => {
      const { execution } = hosted((self) => {
        capture(self.control);
        return Number(callBack(self, 'waits'));
      });
      assert.equal(execution.call('run', 1).type, 'captured');
      assert.equal(value(execution.goOn()), 3, 'the time was over');
    });
  }

  test('called directly from outside it returns, and the capture comes with what runs next', () => {
    const { execution } = hosted(() => 7);
    capture(execution.control);
    assert.equal(WAYS['a function of exports']!(execution, 'run', 1), 8);
    assert.equal(execution.call('run', 1).type, 'captured');
    assert.throws(() => WAYS['a function of exports']!(execution, 'depth'), refused('not_runnable'));
  });

  const CALLBACK = `(module
    (import "env" "each" (func $each (param funcref) (result i32)))
    (func $inner (result i32) (local $i i32)
      (loop $l (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))
      (local.get $i))
    (elem declare func $inner)
    (func (export "run") (result i32) (i32.add (i32.const 100) (call $each (ref.func $inner)))))`;

  for (const [how, swallows] of [
    ['', false],
    [', even if the host catches what unwinds', true],
  ] as const) {
    test(`past the engine: never captured as if the host's function had not been called${how}`, async () => {
      let asks = true;
      const execution = new Execution(Program.compile(await moduleBytes(CALLBACK)), {
        imports: (self) => ({
          env: {
            each(f: () => number) {
              if (asks) capture(self.control);
              try {
                return f();
              } catch (error) {
                if (!swallows) throw error;
                return 7;
              }
            },
          },
        }),
      });
      execution.start();
      assert.throws(() => execution.call('run'), refused('cannot_move'));
      asks = false;
      assert.equal(value(execution.call('run')), 110, 'the instance is of use still');
    });
  }
});

describe('a function of the host that is not an import', () => {
  const TYPE = '(type $f (func (param i32) (result i32)))';
  const CALL = '(i32.add (i32.const 100) (call_indirect (type $f) (i32.const 7) (i32.const 0)))';
  const programs = {
    'in an imported table': `(import "env" "table" (table 1 funcref)) (func (export "run") (result i32) ${CALL})`,
    'a reference that an import returns': `(import "env" "get" (func $get (result funcref))) (table 1 funcref)
      (func (export "run") (result i32) (table.set (i32.const 0) (call $get)) ${CALL})`,
  };
  for (const [name, text] of Object.entries(programs)) {
    test(`${name}: a capture in it ends the run with an error that says so`, async () => {
      const relay = await moduleBytes(
        `(module (import "env" "f" (func (param i32) (result i32))) (export "f" (func 0)))`,
      );
      let asks = true;
      const execution = new Execution(Program.compile(await moduleBytes(`(module ${TYPE} ${text})`)), {
        imports: (self) => {
          const f = (n: number): number => (asks ? self.capture() : n * 2);
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(relay), { env: { f } });
          const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
          table.set(0, exports['f']);
          return { env: { table, get: () => exports['f'] } };
        },
      });
      execution.start();
      assert.throws(() => execution.call('run'), refused('cannot_move'));
      assert.throws(() => execution.goOn(), refused('not_runnable'), 'it is not captured');
      asks = false;
      assert.equal(value(execution.call('run')), 114);
    });
  }
});

describe('an execution in the wrong order', () => {
  const counting = `(module (import "env" "told" (func $told)) (memory 1) (data (i32.const 0) "A")
    (func (export "_start") (call $told))
    (func (export "read") (result i32) (i32.load8_u (i32.const 0))))`;

  test('nothing is called before the start, and nothing starts twice', async () => {
    let told = 0;
    const execution = new Execution(Program.compile(await moduleBytes(counting)), {
      imports: () => ({ env: { told: () => void told++ } }),
    });
    const read = execution.exports['read'] as () => unknown;
    assert.throws(() => execution.call('read'), refused('not_runnable'));
    assert.throws(read, refused('not_runnable'));
    assert.throws(() => execution.capture(), refused('not_runnable'));
    execution.start();
    assert.throws(() => execution.start(), refused('not_runnable'));
    assert.equal(read(), 65);
    assert.equal(told, 1);
  });

  test('what was resumed has been started', async () => {
    const other = Program.compile(await moduleBytes(counting));
    const { execution } = new Execution(other, {
      imports: (self) => ({ env: { told: () => self.capture() } }),
    }).start();
    const ended = resume(other, execution.image(), { imports: () => ({ env: { told() {} } }) });
    assert.throws(() => ended.execution.start(), refused('not_runnable'));
    assert.equal(value(ended.execution.call('read')), 65);
  });
});
