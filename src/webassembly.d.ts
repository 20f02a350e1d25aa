/**
 * The WebAssembly JavaScript interface, as far as Godwit uses it. TypeScript has these types only in its `dom`
 * library, which would also let `window` and `document` pass as globals.
 * Specification: WebAssembly JavaScript Interface, with threads, multi-memory and exception handling.
 */
declare namespace WebAssembly {
  type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'anyfunc' | 'externref';
  type ImportExportKind = 'function' | 'table' | 'memory' | 'global' | 'tag';
  type ImportValue = ExportValue | number | bigint;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- exported functions have any signature
  type ExportValue = Function | Global | Memory | Table | Tag;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;
  type Exports = Readonly<Record<string, ExportValue>>;

  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView);
    static customSections(module: Module, name: string): ArrayBuffer[];
    static exports(module: Module): { name: string; kind: ImportExportKind }[];
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class Memory {
    constructor(
      descriptor:
        | { initial: number; maximum?: number; shared?: boolean }
        | { address: 'i64'; initial: bigint; maximum?: bigint; shared?: boolean },
    );
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    /** @returns the size in pages before; throws RangeError if the memory cannot grow so far */
    grow<T extends number | bigint>(pages: T): T;
  }

  class Table {
    constructor(descriptor: { element: 'anyfunc' | 'externref'; initial: number; maximum?: number }, value?: unknown);
    /** This and all indices are of type bigint for a table with 64-bit addresses. */
    readonly length: number | bigint;
    get(index: number | bigint): unknown;
    set(index: number | bigint, value?: unknown): void;
    grow<T extends number | bigint>(by: T, value?: unknown): T;
  }

  class Global<T = unknown> {
    constructor(descriptor: { value: ValueType; mutable?: boolean }, value?: T);
    value: T;
    valueOf(): T;
  }

  class Tag {
    constructor(type: { parameters: readonly ValueType[] });
  }

  class Exception extends Error {
    constructor(tag: Tag, payload: readonly unknown[], options?: { traceStack?: boolean });
    is(tag: Tag): boolean;
    getArg(tag: Tag, index: number): unknown;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
  function validate(bytes: ArrayBuffer | ArrayBufferView): boolean;
}
