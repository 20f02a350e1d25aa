/**
 * Where in the original module an error arose. V8 names functions of the rewritten module and of continuation
 * modules, with byte offsets into those; no map is kept for this rare question: the one function is rewritten again
 * and the copied ranges recorded.
 */
import { functionName } from '../../wasm/names.ts';
import { WasmReader } from '../../wasm/reader.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { BodyRewriter } from '../rewriting/body.ts';
import { callSite } from './call-sites.ts';
import { writeLocals } from '../code/code-section.ts';
import type { CopiedRange } from '../code/copier.ts';
import { GODWIT } from '../layout/facts.ts';
import { continuationOf } from '../continuation/link.ts';
import { RELAY } from './relay.ts';
import { MainTarget } from '../rewriting/target.ts';
import type { Program } from './program.ts';
import { TRAMPOLINES } from '../rewriting/trampolines.ts';

/** One frame of the program's code. */
export interface Location {
  /** The function's index in the original module, and its name if the module gives one. */
  readonly index: number;
  readonly name: string | null;
  /** Byte offset of the instruction in the original module; of the function's body where V8 does not say (call-sites.ts). */
  readonly offset: number;
}

/** Modules of the engine that have no code of the program. */
const NOT_THE_PROGRAM: readonly string[] = [TRAMPOLINES, RELAY];

/**
 * `wasm://wasm/<module name>-<hash>:wasm-function[<index>]:0x<offset>` at the end of a line: the name of the function before it
 * may be any text. The module's name may be missing, and is one that ends there (rewriting/names.ts).
 */
const STACK_ENTRY = /wasm:\/\/wasm\/([^\s:()]*):wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/gm;

/**
 * @param error what a run of the machine has thrown
 * @returns the program's frames on the error's stack, innermost first, as far as V8 has recorded them
 */
export function locate(program: Program, error: Error): Location[] {
  const locations: Location[] = [];
  /** What the frame above is of, by its index in the rewritten module. */
  let above: number | null = null;
  for (const [, url = '', functionText, offsetText] of (error.stack ?? '').matchAll(STACK_ENTRY)) {
    if (NOT_THE_PROGRAM.some((name) => url.startsWith(`${name}-`))) continue;
    const index = Number(functionText);
    const offset = Number.parseInt(offsetText ?? '', 16);
    const continuation = continuationOf(url);
    const found =
      continuation === null
        ? inRewritten(program, index, offset)
        : inContinuation(program, continuation, index, offset);
    if (found !== null) {
      const { index: of, offset: place } = found;
      const name = functionName(program.original, of);
      locations.push({ index: of, name, offset: placeOf(program, of, place, above) });
    }
    above = found?.index ?? index;
  }
  return locations;
}

/**
 * @param place where V8 says that a function was, null if it does not
 * @param called what it called, as far as that is known
 * @returns its beginning if nothing is known
 */
function placeOf({ original, numbering }: Program, index: number, place: number | null, called: number | null): number {
  const known = called === null ? place : callSite(original, numbering, index, called, place);
  return known ?? original.bodyStarts[index - original.importedFunctions]!;
}

interface Place {
  readonly index: number;
  /** null if V8 gives the beginning of the function, where no instruction is. */
  readonly offset: number | null;
}

function inRewritten(program: Program, index: number, offset: number): Place | null {
  const { original, numbering, facts } = program;
  // Wrappers and helpers are not the program's code: the frame below them is.
  if (index < original.importedFunctions || index >= numbering.functions) return null;
  const body = index - original.importedFunctions;
  const { start, size } = bodyRange(program, body);
  const within = offset - start;
  const rewriter = new BodyRewriter(original, facts, new MainTarget(original, numbering));
  rewriter.recordCopies();
  rewriter.rewrite(index);
  const locals = new WasmWriter();
  writeLocals(locals, original, body, rewriter.addedLocals);
  // What needs no change is taken over as it is, with the dead code that rewriting drops.
  const changed = size === locals.length + rewriter.out.length;
  const from = original.bodyStarts[body]!;
  return {
    index,
    offset: changed ? originalOffset(rewriter.copies ?? [], within - locals.length) : from + within,
  };
}

/** Where in the rewritten module the body of the n-th defined function is, from the section of sizes. */
function bodyRange(program: Program, body: number): { readonly start: number; readonly size: number } {
  const [section] = WebAssembly.Module.customSections(program.rewritten, `${GODWIT}.sizes`);
  if (section === undefined) return { start: 0, size: 0 };
  const r = new WasmReader(new Uint8Array(section));
  let offset = r.u32();
  for (let i = 0; ; i++) {
    const before = r.pos;
    const size = r.u32();
    // Each body stands behind its size, in the same number of bytes as here.
    offset += r.pos - before;
    if (i === body) return { start: offset, size };
    offset += size;
  }
}

type Continued = NonNullable<ReturnType<typeof continuationOf>>;

function inContinuation(program: Program, { index, site, seen }: Continued, own: number, offset: number): Place | null {
  const { original, linker } = program;
  if (index < original.importedFunctions || index >= program.numbering.functions) return null;
  // What looks like a continuation can be the name of a function with a line of its own.
  if (program.facts.capturable[index] !== 1 || site >= linker.plan(index).sites) return null;
  const traced = linker.traced(index, site, own, seen);
  if (traced === null) return null;
  return { index: traced.index, offset: originalOffset(traced.copies, offset - traced.codeStart) };
}

/** Code that was written in place of an instruction, or before it, counts as that instruction. */
function originalOffset(copies: readonly CopiedRange[], written: number): number | null {
  const copied = copies.findLast((range) => range.written <= written);
  return copied === undefined ? null : copied.original + Math.min(written - copied.written, copied.size);
}
