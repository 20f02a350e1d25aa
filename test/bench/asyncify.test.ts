import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { test } from 'node:test';
import { WASI } from 'node:wasi';
import { asyncify } from '../../bench/overhead/asyncify.ts';
import { FLAG_ADDRESS, POLL_TABLE } from '../../bench/overhead/polls.ts';
import { fixture } from '../support/build.ts';

/** (import "e" "f" (func)) (export "f" (func 0)): makes a function of the host one that can stand in a table. */
const TRAMPOLINE = Buffer.from('0061736d0100000001040160000002070101650166000007050101660000', 'hex');
/** What Asyncify's functions take and return for the state. */
const UNWINDING = 1;

test('the baseline is not a sham: a raised flag unwinds it at a poll, and it goes on from there', async () => {
  const file = await asyncify((await fixture('matmul')).bytes, AbortSignal.timeout(60_000));
  const stdout = openSync(devNull, 'w');
  const wasi = new WASI({ version: 'preview1', args: ['matmul', '4', '1'], stdout });
  const module = new WebAssembly.Module(await readFile(file));
  const instance = new WebAssembly.Instance(module, wasi.getImportObject() as WebAssembly.Imports);
  wasi.finalizeBindings(instance);
  const exports = instance.exports as Readonly<Record<string, (...args: readonly number[]) => number>>;
  const memory = instance.exports['memory'] as WebAssembly.Memory;
  const area = memory.grow(1) * 65_536;
  const words = () => new Int32Array(memory.buffer as ArrayBuffer);
  words().set([area + 8, area + 65_536], area / 4);

  let rewinding = false;
  const poll = (): void => {
    if (rewinding) {
      exports['asyncify_stop_rewind']!();
      words()[FLAG_ADDRESS / 4] = 0;
    } else exports['asyncify_start_unwind']!(area);
  };
  const trampoline = new WebAssembly.Instance(new WebAssembly.Module(TRAMPOLINE), { e: { f: poll } });
  (instance.exports[POLL_TABLE] as WebAssembly.Table).set(0, trampoline.exports['f']);

  words()[FLAG_ADDRESS / 4] = 1;
  exports['_start']!();
  assert.equal(exports['asyncify_get_state']!(), UNWINDING);
  assert.ok(words()[area / 4]! > area + 8, 'frames have been saved');
  exports['asyncify_stop_unwind']!();
  rewinding = true;
  exports['asyncify_start_rewind']!(area);
  exports['_start']!();
  assert.equal(exports['asyncify_get_state']!(), 0);
  assert.equal(words()[FLAG_ADDRESS / 4], 0, 'it came back to the poll');
  closeSync(stdout);
});
