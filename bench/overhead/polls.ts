/**
 * Puts polls into a module exactly where Godwit's rewriter has them, and nothing else: at each loop head and at the
 * entry of the functions that src/capture/analysis/graph.ts names. Asyncify then makes the result unwindable, so the two ways
 * to unwind are compared with equal chances to do it.
 */
import { analyse } from '../../src/capture/analysis/graph.ts';
import { decodeModule } from '../../src/wasm/decode.ts';
import type { Module } from '../../src/wasm/module.ts';
import { OP } from '../../src/wasm/opcodes.ts';
import { WasmReader } from '../../src/wasm/reader.ts';
import { FunctionWalker } from '../../src/wasm/walker.ts';
import { PREAMBLE, WasmWriter } from '../../src/wasm/writer.ts';

/**
 * Where the flag lies: Asyncify does not take a second memory, so it has to be in the program's own. Compilers leave
 * the first bytes unused, for the null pointer. Nothing but a poll reads it and nobody raises it.
 */
export const FLAG_ADDRESS = 16;
/** Name under which the module exports the table whose entry 0 a poll calls. */
export const POLL_TABLE = 'poll table';

const SECTION = { types: 1, functions: 3, tables: 4, exports: 7, code: 10 } as const;
/** Every section that the engine takes, in the order of the format; custom sections are left out. */
const SECTIONS = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

export interface Polled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly polls: number;
  /** Whether it throws or catches exceptions. */
  readonly exceptions: boolean;
}

/**
 * @param original a core module with a memory
 * @throws GodwitError if the engine does not take the module
 */
export function addPolls(original: Uint8Array): Polled {
  const module = decodeModule(original);
  const sections = split(original);
  const out = new WasmWriter(original.length * 2);
  out.copy(PREAMBLE);
  let polls = 0;
  // The poll calls through a table of its own, which the host may fill: so no function's index changes, and Asyncify
  // has to expect that it unwinds.
  const additions = new Map([
    [SECTION.types, appended(Uint8Array.of(0x60, 0, 0))],
    [SECTION.functions, appended(leb(module.types.length))],
    [SECTION.tables, appended(Uint8Array.of(0x70, 0, 1))],
    [SECTION.exports, appended(exportOf(POLL_TABLE, 1, module.tables.length))],
  ]);
  for (const id of SECTIONS) {
    const content = sections.get(id);
    const add = additions.get(id as 1);
    let made: WasmWriter | undefined;
    if (id === SECTION.code) {
      const code = codeSection(module);
      made = code.content;
      polls = code.polls;
    } else if (add !== undefined) made = add(content);
    else if (content !== undefined) made = copyOf(content);
    if (made !== undefined) out.section(id, made);
  }
  return { bytes: out.done(), polls, exceptions: module.tags.length > 0 };
}

function codeSection(module: Module): { content: WasmWriter; polls: number } {
  const { entryPolls } = analyse(module);
  const walker = new FunctionWalker(module);
  const content = new WasmWriter(module.bytes.length * 2);
  const pollFunction = module.functionTypes.length;
  content.u32(pollFunction - module.importedFunctions + 1);
  let polls = 0;
  const poll = (body: WasmWriter) => {
    polls++;
    body.raw(0x41, FLAG_ADDRESS, 0x28, 2, 0, 0x04, 0x40, 0x10);
    body.u32(pollFunction);
    body.raw(0x0b);
  };
  for (let index = module.importedFunctions; index < pollFunction; index++) {
    walker.enter(index);
    const body = new WasmWriter();
    let copied = module.bodyStarts[index - module.importedFunctions]!;
    const insert = () => {
      body.copy(module.bytes, copied, walker.pos);
      copied = walker.pos;
      poll(body);
    };
    if (entryPolls[index] === 1) insert();
    while (walker.step()) if (walker.opcode === OP.loop && !walker.dead) insert();
    body.copy(module.bytes, copied, walker.pos);
    content.u32(body.length);
    content.copy(body.bytes, 0, body.length);
  }
  const body = new WasmWriter();
  body.raw(0, 0x41, 0, 0x11);
  body.u32(module.types.length);
  body.u32(module.tables.length);
  body.raw(0x0b);
  content.u32(body.length);
  content.copy(body.bytes, 0, body.length);
  return { content, polls };
}

/** Content of every section by id; the module has been decoded, so it is well-formed. */
function split(bytes: Uint8Array): Map<number, Uint8Array> {
  const reader = new WasmReader(bytes, PREAMBLE.length);
  const sections = new Map<number, Uint8Array>();
  while (reader.pos < bytes.length) {
    const id = reader.u8();
    const size = reader.u32();
    sections.set(id, bytes.subarray(reader.pos, reader.pos + size));
    reader.pos += size;
  }
  return sections;
}

/** One entry more at the end of a vector; a missing section is an empty one. */
function appended(entry: Uint8Array): (content: Uint8Array | undefined) => WasmWriter {
  return (content = Uint8Array.of(0)) => {
    const reader = new WasmReader(content, 0);
    const out = new WasmWriter(content.length + entry.length + 5);
    out.u32(reader.u32() + 1);
    out.copy(content, reader.pos);
    out.copy(entry);
    return out;
  };
}

function copyOf(content: Uint8Array): WasmWriter {
  const out = new WasmWriter(content.length);
  out.copy(content);
  return out;
}

function leb(value: number): Uint8Array {
  const out = new WasmWriter();
  out.u32(value);
  return out.done();
}

function exportOf(name: string, kind: number, index: number): Uint8Array {
  const out = new WasmWriter();
  out.name(name);
  out.u8(kind);
  out.u32(index);
  return out.done();
}
