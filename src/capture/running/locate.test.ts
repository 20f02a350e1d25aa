/** Where traps are said to be: in the original module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleBytes } from '../../../test/spec/text.ts';
import { OP } from '../../wasm/opcodes.ts';
import { ModuleBuilder } from '../../wasm/testing/builder.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { runCaptured, runOriginal, subject } from '../testing/harness.ts';

test('a trap behind dead code, in a function that is rewritten and in one that is not', async () => {
  const trap = `
    (block (result i32) (br 0 (i32.const 1)) (drop (i32.const 2)) (i32.const 3))
    (drop) (i32.const 1) (i32.const 0) (i32.div_u)`;
  for (const [name, before] of [
    ['not rewritten', ''],
    ['rewritten', '(call $tell)'],
  ] as const) {
    const bytes = await moduleBytes(`(module
      (import "env" "tell" (func $tell))
      (memory (export "memory") 1)
      (func $trap (result i32) ${before} ${trap})
      (func (export "run") (result i32) (call $tell) (call $trap)))`);
    const given = subject(bytes, 'run', [], () => ({ tell: () => {} }));
    const { end, where } = runOriginal(given);
    assert.equal(end, 'trap: divide by zero');
    assert.equal(runCaptured(given, () => false).where, where, name);
  }
});

/** The module with a name of its own, and one of function 1. */
function named(bytes: Uint8Array, module: string, name: string): Uint8Array<ArrayBuffer> {
  const section = (id: number, write: (w: WasmWriter) => void): void => {
    const content = new WasmWriter();
    write(content);
    names.section(id, content);
  };
  const names = new WasmWriter();
  section(0, (w) => w.name(module));
  section(1, (w) => {
    w.raw(1, 1);
    w.name(name);
  });
  const out = new WasmWriter();
  out.copy(bytes);
  out.custom('name', names);
  return out.done();
}

test('names of the module and of functions do not matter', () => {
  const b = new ModuleBuilder();
  const tell = b.importFunction('env', 'tell', [], []);
  const trap = b.define([], [], [], new Assembler().op(OP.call, tell).op(OP.unreachable).done());
  b.export('run', 'function', b.define([], [], [], new Assembler().op(OP.call, trap).done()));
  const entry = 'wasm://wasm/godwit.0.7-0:wasm-function[2]:0x99';
  const modules = ['prog', 'my prog', 'a:b', 'x(y)', '', 'n\u00e4me\0\n', entry];
  for (const module of [...modules, 'godwit.host', 'godwit.relay', 'godwit.0.7', 'godwit.1.99', 'godwit.1.0.12x3']) {
    for (const name of ['f', `f (${entry})`, entry]) {
      const given = subject(named(b.build(), module, name), 'run', [], () => ({ tell: () => {} }));
      const { end, where } = runOriginal(subject(b.build(), 'run', [], () => ({ tell: () => {} })));
      assert.equal(end, 'trap: unreachable');
      for (const captured of [0, 1]) {
        assert.equal(runCaptured(given, (tick) => tick === captured).where, where, `${module} ${name}`);
      }
    }
  }
});

test('a function whose name is a whole stack does no harm', () => {
  const b = new ModuleBuilder();
  const tell = b.importFunction('env', 'tell', [], []);
  const trap = b.define([], [], [], new Assembler().op(OP.call, tell).op(OP.unreachable).done());
  b.export('run', 'function', b.define([], [], [], new Assembler().op(OP.call, trap).done()));
  const name = [
    'f',
    ...['godwit.0.7', 'godwit.1.99', 'godwit.9.9'].map((it) => `at wasm://wasm/${it}-0:wasm-function[1]:0x1`),
    'g',
  ];
  const given = subject(named(b.build(), 'prog', name.join('\n')), 'run', [], () => ({ tell: () => {} }));
  assert.equal(runCaptured(given, () => false).end, 'trap: unreachable');
});

test('a trap in a callee, when something else was written for the instruction before the call too', async () => {
  const bytes = await moduleBytes(`(module
    (import "env" "tell" (func $tell))
    (memory (export "memory") 1)
    (data $bytes "abc")
    (func $trap (result i32) (call $tell) (i32.div_u (i32.const 1) (i32.const 0)))
    (func (export "run") (result i32)
      (call $tell)
      (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 1))
      (if (result i32) (i32.const 1)
        (then (data.drop $bytes) (call $trap))
        (else (i32.const 2)))))`);
  const given = subject(bytes, 'run', [], () => ({ tell: () => {} }));
  const { end, where } = runOriginal(given);
  assert.equal(end, 'trap: divide by zero');
  for (const captured of [0, 1, 2]) assert.equal(runCaptured(given, (tick) => tick === captured).where, where);
});
