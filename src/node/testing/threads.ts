/** A program of several threads, built by hand: what each of them does is said by what it is started with. */
import { THREAD_ENTRY, THREAD_SPAWN, THREADS_MODULE } from '../../abi/wasi-threads.ts';
import { ClockId } from '../../abi/types.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import { PREVIEW1_MODULE } from '../../guest/imports.ts';
import { OP, PREFIX_FE } from '../../wasm/opcodes.ts';
import { I32, I64 } from '../../wasm/types.ts';
import type { LoadedModule } from '../modules/modules.ts';
import { programOf } from './modules.ts';

const ATOMIC_STORE = PREFIX_FE + 0x17;
const ATOMIC_ADD = PREFIX_FE + 0x1e;
const ALIGNED = 2;
const I64_LT_U = 0x54;

/** What a thread does. Whoever is done counts {@link WORD}.done up and notifies it. */
export const Does = {
  /** Done at once. */
  returns: 0,
  /** Ends the process with status 7. */
  exits: 1,
  traps: 2,
  /** Counts `counter` up and up. */
  counts: 3,
  /** Waits at `gate` as long as there is 0. */
  waits: 4,
  /** Counts `counter` up by ROUNDS, opens the gate, and is done. */
  works: 5,
} as const;
type Does = (typeof Does)[keyof typeof Does];

export const ROUNDS = 300_000;

/** Bytes in memory, and the first of those where the first thread puts the ids of the others. */
export const WORD = { done: 0, counter: 4, gate: 8, ids: 64 } as const;

const notify = (code: Assembler, word: number): Assembler =>
  code.constant(word).constant(-1).op(OP.atomicNotify, ALIGNED, 0).op(OP.drop);
const add = (code: Assembler, word: number): Assembler =>
  code.constant(word).constant(1).op(ATOMIC_ADD, ALIGNED, 0).op(OP.drop);
/** Leaves the value that it found last on the stack, which is not 0 or not below. */
const wait = (code: Assembler, word: number, until: number): Assembler =>
  code
    .raw(OP.loop, 0x40)
    .constant(word)
    .op(OP.i32AtomicLoad, ALIGNED, 0)
    .op(OP.localTee, LOCAL)
    .constant(until)
    .op(OP.i32LtU)
    .raw(OP.if, 0x40)
    .constant(word)
    .get(LOCAL)
    .op(OP.i64Const)
    .raw(0x7f)
    .op(OP.atomicWait32, ALIGNED, 0)
    .op(OP.drop)
    .op(OP.br, 1)
    .op(OP.end)
    .op(OP.end);
/** Behind the parameters of the thread's entry. */
const LOCAL = 2;

/**
 * Starts threads and ends with the counter, modulo 256, when so many are done.
 * @param threads what each does
 */
export function threadsOf(name: string, threads: readonly Does[], until: number): LoadedModule {
  return build(name, threads, (code, { exit }) => {
    wait(code, WORD.done, until);
    code.constant(WORD.counter).op(OP.i32AtomicLoad, ALIGNED, 0).constant(255).op(OP.i32And).op(OP.call, exit);
  });
}

/** Starts a thread and, once it has counted, ends with 1 if its process has used more than its first thread has. */
export function clockOf(name: string, does: Does): LoadedModule {
  const [own, all] = [32, 40];
  return build(name, [does], (code, { exit, clock }) => {
    code.raw(OP.loop, 0x40).constant(WORD.counter).op(OP.i32AtomicLoad, ALIGNED, 0).constant(ROUNDS).op(OP.i32LtU);
    code.op(OP.brIf, 0).op(OP.end);
    for (const [id, at] of [
      [ClockId.threadCputime, own],
      [ClockId.processCputime, all],
    ] as const) {
      code.constant(id).op(OP.i64Const, 0).constant(at).op(OP.call, clock).op(OP.drop);
    }
    code.constant(own).load(I64, 0, 0).constant(all).load(I64, 0, 0).op(I64_LT_U).op(OP.call, exit);
  });
}

interface Imported {
  readonly exit: number;
  readonly clock: number;
}

function build(
  name: string,
  threads: readonly Does[],
  end: (code: Assembler, imported: Imported) => void,
): LoadedModule {
  return programOf(
    name,
    (b) => {
      const spawn = b.importFunction(THREADS_MODULE, THREAD_SPAWN, [I32], [I32]);
      const exit = b.importFunction(PREVIEW1_MODULE, 'proc_exit', [I32], []);
      const clock = b.importFunction(PREVIEW1_MODULE, 'clock_time_get', [I32, I64, I32], [I32]);
      b.export('memory', 'memory', 0);
      const counting = (code: Assembler, rounds: number | null): void => {
        code.raw(OP.loop, 0x40);
        add(code, WORD.counter);
        if (rounds === null) code.op(OP.br, 0);
        else
          code
            .get(LOCAL)
            .constant(1)
            .op(OP.i32Add)
            .op(OP.localTee, LOCAL)
            .constant(rounds)
            .op(OP.i32LtU)
            .op(OP.brIf, 0);
        code.op(OP.end);
      };
      const bodies: Readonly<Record<Does, (code: Assembler) => void>> = {
        [Does.returns]: () => {},
        [Does.exits]: (code) => void code.constant(7).op(OP.call, exit),
        [Does.traps]: (code) => void code.op(OP.unreachable),
        [Does.counts]: (code) => counting(code, null),
        [Does.waits]: (code) => void wait(code, WORD.gate, 1),
        [Does.works]: (code) => {
          counting(code, ROUNDS);
          notify(code.constant(WORD.gate).constant(1).op(ATOMIC_STORE, ALIGNED, 0), WORD.gate);
        },
      };
      const thread = new Assembler();
      for (const [what, write] of Object.entries(bodies)) {
        thread.get(1).constant(Number(what)).op(OP.i32Eq).raw(OP.if, 0x40);
        write(thread);
        thread.op(OP.end);
      }
      add(thread, WORD.done);
      notify(thread, WORD.done);
      b.export(THREAD_ENTRY, 'function', b.define([I32, I32], [], [I32], thread.done()));
      const first = new Assembler();
      for (const [i, what] of threads.entries()) {
        first
          .constant(WORD.ids + 4 * i)
          .constant(what)
          .op(OP.call, spawn)
          .op(ATOMIC_STORE, ALIGNED, 0);
      }
      end(first, { exit, clock });
      return b.define([], [], [I32, I32, I32], first.done());
    },
    true,
  );
}
