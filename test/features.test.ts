/**
 * Programs in the text format that use what compilers seldom use, in real workers: captured at every safepoint up to a
 * number of them, each time resumed in a fresh worker from an image.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { silentLog } from '../src/base/env.ts';
import { ModuleStore } from '../src/node/modules/modules.ts';
import { WorkerPool } from '../src/node/guests/worker-pool.ts';
import { CACHE } from './support/build.ts';
import { runChain } from './support/chain.ts';
import { assemble } from './support/text.ts';

const CAPTURES = 6;

interface Feature {
  readonly text: string;
  readonly stdout: string;
}

/** `$print` writes one letter; memory 1 is the one that the host sees. */
const FEATURES: Readonly<Record<string, Feature>> = {
  'several memories': {
    stdout: 'abcdefgh',
    text: `(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory $letters 1 4)
      (memory $io (export "memory") 1 2)
      (data $word (memory $letters) (i32.const 65530) "abcdef")
      (data $rest "gh")
      (data (memory $io) (i32.const 0) "\\08\\00\\00\\00\\01\\00\\00\\00")
      (func $print (param $at i32)
        (memory.copy $io $letters (i32.const 8) (local.get $at) (i32.const 1))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
      (func (export "_start") (local $at i32)
        (drop (memory.grow $letters (i32.const 1)))
        (memory.init $letters $rest (i32.const 65536) (i32.const 0) (i32.const 2))
        (local.set $at (i32.const 65530))
        (loop $next
          (call $print (local.get $at))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $at) (i32.const 65538))))))`,
  },
  'a memory and a table with 64-bit addresses': {
    stdout: 'wide!',
    text: `(module
      (type $print (func (param i64)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory $data i64 1)
      (memory $io (export "memory") 1 1)
      (table $t i64 4 funcref)
      (elem (table $t) (offset (i64.const 3)) func $print)
      (data $word (memory $data) (offset (i64.const 65534)) "wi")
      (data $rest "de!")
      (data (memory $io) (i32.const 0) "\\08\\00\\00\\00\\01\\00\\00\\00")
      (func $print (type $print)
        (i32.store8 $io (i32.const 8) (i32.load8_u $data offset=4 (i64.sub (local.get 0) (i64.const 4))))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
      (func (export "_start") (local $at i64)
        (drop (table.grow $t (table.get $t (i64.const 3)) (i64.const 1)))
        (local.set $at (i64.sub (i64.mul (memory.size $data) (i64.const 65536)) (i64.const 2)))
        (drop (memory.grow $data (i64.const 1)))
        (memory.init $data $rest (i64.const 65536) (i32.const 0) (i32.const 3))
        (loop $next
          (call_indirect $t (type $print) (local.get $at) (i64.sub (table.size $t) (i64.const 1)))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br_if $next (i64.lt_u (local.get $at) (i64.const 65539))))))`,
  },
  'extended constant expressions': {
    stdout: 'hey!',
    text: `(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (global $base i32 (i32.const 60))
      (global $next i32 (i32.sub (i32.mul (global.get $base) (i32.const 2)) (i32.const 56)))
      (global $big (mut i64) (i64.add (i64.const -4294967296) (i64.mul (i64.const 4294967297) (i64.const 1))))
      (table $t 9 funcref)
      (elem (offset (i32.add (global.get $next) (i32.const -60))) func $print)
      (data (offset (i32.add (global.get $base) (i32.const 4))) "hey!")
      (data (i32.const 0) "\\40\\00\\00\\00\\02\\00\\00\\00")
      (func $print
        (drop (call $write (global.get $big_as_fd) (i32.const 0) (i32.const 1) (i32.const 16))))
      (global $big_as_fd i32 (i32.sub (global.get $next) (i32.const 63)))
      (func (export "_start")
        (call_indirect $t (i32.const 4))
        (i32.store (i32.const 0) (i32.add (i32.const 65) (i32.wrap_i64 (global.get $big))))
        (call_indirect $t (i32.const 4))))`,
  },
};

describe('programs of single features captured at their safepoints', () => {
  let pool: WorkerPool;
  const modules = new ModuleStore(path.join(CACHE, 'modules'), silentLog);

  before(() => {
    pool = new WorkerPool();
  });
  after(() => pool.close());

  for (const [name, { text, stdout }] of Object.entries(FEATURES)) {
    test(name, async () => {
      const module = await modules.loadBytes(assemble(text));
      const common = { args: ['feature'], env: [], stdin: '', directory: null };
      const plain = await runChain(module, pool, { ...common, when: () => null });
      const chain = await runChain(module, pool, { ...common, when: (n) => (n < CAPTURES ? { skip: 0 } : null) });
      for (const end of [plain, chain]) {
        assert.equal(
          end.report.type,
          'exited',
          JSON.stringify(end.report, (_, value: unknown) => String(value)),
        );
        assert.equal(end.stdout, stdout);
      }
      assert.ok(chain.captures > 0);
      assert.equal(chain.memory, plain.memory);
    });
  }
});
