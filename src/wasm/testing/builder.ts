/** Builds modules by hand, for tests: sections in order, code as assembled bytes. */
import { ReferenceTypes } from '../references.ts';
import { FUNCREF, sameTypes } from '../types.ts';
import type { TypeList, ValueType } from '../types.ts';
import { PREAMBLE, WasmWriter } from '../writer.ts';

interface FunctionDefinition {
  readonly type: number;
  readonly locals: readonly ValueType[];
  readonly code: Uint8Array;
}

interface MemoryDefinition {
  readonly minimum: number;
  readonly maximum: number | null;
  readonly wide?: boolean;
  readonly shared?: boolean;
}

const KINDS = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

export class ModuleBuilder {
  /** The numbers of the module's reference types, for wherever a type is wanted. */
  readonly references = new ReferenceTypes();
  readonly #types: { params: TypeList; results: TypeList }[] = [];
  readonly #imports: ((w: WasmWriter) => void)[] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;
  #importedTables = 0;
  #importedMemories = 0;
  readonly #functions: FunctionDefinition[] = [];
  readonly #tables: { element: ValueType; minimum: number; maximum: number | null; wide: boolean }[] = [];
  readonly #globals: { type: ValueType; mutable: boolean; init: Uint8Array }[] = [];
  readonly #tags: number[] = [];
  readonly #exports: { name: string; kind: keyof typeof KINDS; index: number }[] = [];
  readonly #elements: ((w: WasmWriter) => void)[] = [];
  readonly #datas: ((w: WasmWriter) => void)[] = [];
  readonly #customs: { name: string; content: Uint8Array }[] = [];
  readonly memories: MemoryDefinition[] = [];
  start: number | null = null;

  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const [p, r] = [Uint8Array.from(params), Uint8Array.from(results)];
    const found = this.#types.findIndex((type) => sameTypes(type.params, p) && sameTypes(type.results, r));
    return found >= 0 ? found : this.#types.push({ params: p, results: r }) - 1;
  }

  importFunction(module: string, name: string, params: readonly ValueType[], results: readonly ValueType[]): number {
    const type = this.type(params, results);
    this.#import(module, name, 0, (w) => w.u32(type));
    return this.#importedFunctions++;
  }

  importGlobal(module: string, name: string, type: ValueType, mutable: boolean): number {
    this.#import(module, name, 3, (w) => w.raw(type, mutable ? 1 : 0));
    return this.#importedGlobals++;
  }

  /** Before any table of the module's own. */
  importTable(
    module: string,
    name: string,
    element: ValueType,
    minimum: number,
    maximum: number | null = null,
  ): number {
    this.#import(module, name, 1, (w) => {
      w.u8(element);
      writeLimits(w, minimum, maximum);
    });
    return this.#importedTables++;
  }

  /** Before any memory of the module's own. */
  importMemory(module: string, name: string, { minimum, maximum, wide, shared }: MemoryDefinition): number {
    this.#import(module, name, 2, (w) => writeLimits(w, minimum, maximum, wide, shared));
    return this.#importedMemories++;
  }

  #import(module: string, name: string, kind: number, describe: (w: WasmWriter) => void): void {
    this.#imports.push((w) => {
      w.name(module);
      w.name(name);
      w.u8(kind);
      describe(w);
    });
  }

  /** @param code without the final `end`. @returns the function's index */
  define(
    params: readonly ValueType[],
    results: readonly ValueType[],
    locals: readonly ValueType[],
    code: Uint8Array,
  ): number {
    this.#functions.push({ type: this.type(params, results), locals, code });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  /** The index that the next defined function gets. */
  get nextFunction(): number {
    return this.#importedFunctions + this.#functions.length;
  }

  table(minimum: number, maximum: number | null = null, element: ValueType = FUNCREF, wide = false): number {
    return this.#importedTables + this.#tables.push({ element, minimum, maximum, wide }) - 1;
  }

  tag(payload: readonly ValueType[]): number {
    return this.#tags.push(this.type(payload, [])) - 1;
  }

  /** @param init without the final `end` */
  global(type: ValueType, mutable: boolean, init: Uint8Array): number {
    return this.#importedGlobals + this.#globals.push({ type, mutable, init }) - 1;
  }

  export(name: string, kind: keyof typeof KINDS, index: number): void {
    this.#exports.push({ name, kind, index });
  }

  /** An active segment of table 0 at a constant offset; passive or declared without one. */
  elements(functions: readonly number[], offset: number | 'passive' | 'declared'): number {
    return (
      this.#elements.push((w) => {
        if (typeof offset === 'number') {
          w.raw(0, this.#tables[0]?.wide === true ? 0x42 : 0x41);
          w.s32(offset);
          w.u8(0x0b);
        } else w.raw(offset === 'passive' ? 1 : 3, 0);
        w.u32(functions.length);
        for (const index of functions) w.u32(index);
      }) - 1
    );
  }

  data(content: Uint8Array, offset: number | 'passive', memory = 0): number {
    return (
      this.#datas.push((w) => {
        if (typeof offset === 'number') {
          if (memory === 0) w.u8(0);
          else {
            w.u8(2);
            w.u32(memory);
          }
          w.u8(this.memories[memory - this.#importedMemories]?.wide === true ? 0x42 : 0x41);
          w.s32(offset);
          w.u8(0x0b);
        } else w.u8(1);
        w.u32(content.length);
        w.copy(content);
      }) - 1
    );
  }

  custom(name: string, content: Uint8Array): void {
    this.#customs.push({ name, content });
  }

  build(): Uint8Array<ArrayBuffer> {
    const out = new WasmWriter();
    out.copy(PREAMBLE);
    const vector = <T>(id: number, entries: readonly T[], write: (w: WasmWriter, entry: T) => void): void => {
      if (entries.length === 0) return;
      const section = new WasmWriter();
      section.u32(entries.length);
      for (const entry of entries) write(section, entry);
      out.section(id, section);
    };
    vector(1, this.#types, (w, { params, results }) => {
      w.u8(0x60);
      this.references.writeAll(w, params);
      this.references.writeAll(w, results);
    });
    vector(2, this.#imports, (w, write) => write(w));
    vector(3, this.#functions, (w, { type }) => w.u32(type));
    vector(4, this.#tables, (w, { element, minimum, maximum, wide }) => {
      w.u8(element);
      writeLimits(w, minimum, maximum, wide);
    });
    vector(5, this.memories, (w, { minimum, maximum, wide, shared }) => writeLimits(w, minimum, maximum, wide, shared));
    vector(13, this.#tags, (w, type) => {
      w.u8(0);
      w.u32(type);
    });
    vector(6, this.#globals, (w, { type, mutable, init }) => {
      this.references.write(w, type);
      w.u8(mutable ? 1 : 0);
      w.copy(init);
      w.u8(0x0b);
    });
    vector(7, this.#exports, (w, { name, kind, index }) => {
      w.name(name);
      w.u8(KINDS[kind]);
      w.u32(index);
    });
    if (this.start !== null) {
      const section = new WasmWriter();
      section.u32(this.start);
      out.section(8, section);
    }
    vector(9, this.#elements, (w, write) => write(w));
    if (this.#datas.length > 0) {
      const section = new WasmWriter();
      section.u32(this.#datas.length);
      out.section(12, section);
    }
    vector(10, this.#functions, (w, { locals, code }) => {
      const body = new WasmWriter();
      body.u32(locals.length);
      for (const local of locals) {
        body.u8(1);
        this.references.write(body, local);
      }
      body.copy(code);
      body.u8(0x0b);
      w.u32(body.length);
      w.copy(body.done());
    });
    vector(11, this.#datas, (w, write) => write(w));
    for (const { name, content } of this.#customs) {
      const w = new WasmWriter();
      w.copy(content);
      out.custom(name, w);
    }
    return Uint8Array.from(out.done());
  }
}

function writeLimits(w: WasmWriter, minimum: number, maximum: number | null, wide = false, shared = false): void {
  w.u8((maximum === null ? 0 : 1) | (shared ? 2 : 0) | (wide ? 4 : 0));
  w.u32(minimum);
  if (maximum !== null) w.u32(maximum);
}
