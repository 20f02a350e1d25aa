/**
 * Runs a module in the original and, rewritten, with captures at chosen safepoints, each resumed in a fresh instance
 * with a copy of memory, and describes the run in a form that can be compared.
 */
import { waitingAlone } from '../running/alone.ts';
import { BULK_PIECE } from '../analysis/bulk-uses.ts';
import { locate } from '../running/locate.ts';
import { Machine } from '../running/machine.ts';
import { SAVED_TYPES } from '../layout/frame.ts';
import type { ValueType } from '../../wasm/types.ts';
import { clearUnread } from '../running/unread.ts';
import { rootIndex } from '../running/frames.ts';
import { createControl } from '../layout/entries.ts';
import { createMemory } from '../layout/memory.ts';
import type { MemorySize } from '../layout/memory.ts';
import type { Outcome } from '../running/machine.ts';
import { Program } from '../running/program.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { PORTION_BYTES } from '../running/portions.ts';
import { decodeState, encodeState } from '../running/state.ts';

export interface Run {
  /** What the imports were told, in order. */
  readonly log: readonly string[];
  /** The result, or the trap's message. */
  readonly end: string;
  /** For a trap: function and offset of the innermost frames, in terms of the original module. */
  readonly where: string;
  /** A checksum of the final memories, which the program exports in their order. */
  readonly memory: number;
  /** Safepoints passed, and captures made, in a rewritten run. */
  readonly ticks: number;
  readonly captures: number;
}

const EVERY_KIND: ReadonlySet<ValueType> = new Set(SAVED_TYPES);

/** One instance's imports: `log` collects what a program tells, `memory` is the program's. */
export type MakeImports = (
  log: string[],
  memory: () => WebAssembly.Memory | null,
) => Record<string, (...args: never[]) => unknown>;

/** @returns the FNV-1a checksum of the memories' contents */
export function checksum(...memories: readonly WebAssembly.Memory[]): number {
  let hash = 0x811c_9dc5;
  for (const { buffer } of memories) {
    for (const word of new Uint32Array(buffer)) hash = Math.imul(hash ^ word, 0x0100_0193);
  }
  return hash >>> 0;
}

export function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join(' ');
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'number' && Object.is(value, -0)) return '-0';
  return String(value);
}

/** Frames of a trap that are compared; V8 records ten, some of which may be helpers. */
const FRAMES = 5;

function ending(
  run: () => unknown,
  frames: (error: Error) => string[],
  exports: () => WebAssembly.Exports,
): Pick<Run, 'end' | 'where'> {
  try {
    return { end: show(run()), where: '' };
  } catch (error) {
    if (error instanceof WebAssembly.Exception) return { end: `exception ${thrown(error, exports())}`, where: '' };
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
    return { end: `trap: ${error.message}`, where: frames(error).slice(0, FRAMES).join(' ') };
  }
}

/** The tag of an exception, by the name under which it is exported, and a number that it may carry. */
function thrown(error: WebAssembly.Exception, exports: WebAssembly.Exports): string {
  for (const [name, tag] of Object.entries(exports)) {
    if (!(tag instanceof WebAssembly.Tag) || !error.is(tag)) continue;
    return name === 'tag0' ? `${name} ${show(error.getArg(tag, 0))}` : name;
  }
  return 'of an unknown tag';
}

/** The frames of a trap in an unmodified module. */
function originalFrames(error: Error): string[] {
  const entries = (error.stack ?? '').matchAll(/wasm-function\[(\d+)\]:(0x[0-9a-f]+)/g);
  return Array.from(entries, ([, index, offset]) => `${index}@${offset}`);
}

function locatedFrames(program: Program, error: Error): string[] {
  return locate(program, error).map(({ index, offset }) => `${index}@0x${offset.toString(16)}`);
}

export interface Subject {
  readonly bytes: Uint8Array;
  readonly program: Program;
  readonly entry: string;
  readonly args: readonly unknown[];
  readonly module: string;
  readonly imports: MakeImports;
}

export function subject(
  bytes: Uint8Array,
  entry: string,
  args: readonly unknown[],
  imports: MakeImports,
  module = 'env',
  bulkPiece: number = BULK_PIECE,
): Subject {
  const program = Program.open(bytes, new WebAssembly.Module(rewrite(bytes, bulkPiece).module));
  return { bytes, program, entry, args, module, imports };
}

/** The unmodified module, for comparison. */
export function runOriginal({ bytes, entry, args, module, imports }: Subject): Run {
  const log: string[] = [];
  let memories: WebAssembly.Memory[] = [];
  let exports: WebAssembly.Exports = {};
  const end = ending(
    () => {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
        [module]: imports(log, () => memories[0] ?? null),
      });
      ({ exports } = instance);
      memories = Object.values(instance.exports).filter((value) => value instanceof WebAssembly.Memory);
      return (instance.exports[entry] as (...values: unknown[]) => unknown)(...args);
    },
    originalFrames,
    () => exports,
  );
  return { log, ...end, memory: checksum(...memories), ticks: 0, captures: 0 };
}

/** A shared copy of a memory, as another machine would load it. */
export function copyMemory(memory: WebAssembly.Memory, size: MemorySize): WebAssembly.Memory {
  const copy = createMemory({ ...size, initialPages: memory.buffer.byteLength / 65_536 });
  new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer));
  return copy;
}

/**
 * @param wanted tells whether to capture at the n-th safepoint (from 1) that the run passes, or to have the stack
 *   taken up again, as better code, at the next poll; a safepoint that was captured counts again when it is passed after
 *   the resume, but is not captured twice in a row
 * @param polls whether polls are safepoints too: then each of them, even one that is not wanted, unwinds the stack
 * @param portionBytes of stack for frames that are taken up at once
 */
export function runCaptured(
  subject: Subject,
  wanted: (tick: number) => boolean | 'refresh',
  polls = true,
  portionBytes: number = PORTION_BYTES,
): Run {
  const { program, entry, args, module, imports } = subject;
  const log: string[] = [];
  const sizes = program.memories;
  let memories = sizes.map(createMemory);
  let ticks = 0;
  let captures = 0;
  /** An import that was captured is called again by the resume; a poll is passed over by the machine itself. */
  let calledAgain = false;
  let machine: Machine | null = null;
  let attention: Int32Array = new Int32Array(1);
  const safepoint = (isImport: boolean): void => {
    if (isImport && calledAgain) {
      calledAgain = false;
      return;
    }
    ticks++;
    const wish = wanted(ticks);
    if (wish === 'refresh') attention[0] = 1;
    if (wish !== true) return;
    captures++;
    calledAgain = isImport;
    machine!.unwind();
  };
  const make = (): Machine => {
    const control = createControl();
    attention = new Int32Array(control.buffer, 0, 1);
    attention[0] = polls ? 1 : 0;
    const watched = Object.fromEntries(
      Object.entries(imports(log, () => memories[0] ?? null)).map(([name, call]) => [
        name,
        (...values: never[]): unknown => {
          safepoint(true);
          return call(...values);
        },
      ]),
    );
    const waiting = waitingAlone(
      () => memories,
      () => safepoint(true),
    );
    const poll = (): void => {
      if (polls) safepoint(false);
      else attention[0] = 0;
    };
    machine = new Machine(program, { imports: { [module]: watched }, memories, control, poll, waiting, portionBytes });
    return machine;
  };
  const end = ending(
    () => {
      let outcome: Outcome = first(make(), program, entry, args);
      while (outcome.type === 'captured') {
        const state = decodeState(encodeState(outcome.state));
        // What is said to be read by nothing is gone: whoever reads it all the same gets something else.
        clearUnread(state.frames, program.linker, rootIndex(program.original, state.root), EVERY_KIND);
        memories = memories.map((memory, index) => copyMemory(memory, sizes[index]!));
        outcome = make().resume(state, entry);
      }
      return outcome.value;
    },
    (error) => locatedFrames(program, error),
    () => machine!.exports,
  );
  return { log, ...end, memory: checksum(...memories), ticks, captures };
}

function first(machine: Machine, program: Program, entry: string, args: readonly unknown[]): Outcome {
  if (args.length === 0 || program.original.start !== null) return machine.start(entry);
  machine.initialise();
  return machine.call(entry, args);
}
