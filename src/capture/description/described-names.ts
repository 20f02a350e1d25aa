/**
 * The names that descriptions use. The program's own come from its name section; everything that the engine adds has a
 * name here that says what it is for, in the manner of the text format: `$pc`, `$operand0`, `$save.2i32`.
 */
import type { Module } from '../../wasm/module.ts';
import type { Namer } from '../../wasm/disassemble.ts';
import { functionName, localNames } from '../../wasm/names.ts';
import { typeName } from '../../wasm/types.ts';
import type { FunctionType, TypeList, ValueType } from '../../wasm/types.ts';
import { CAUGHT } from '../rewriting/body.ts';
import { SAVED_TYPES } from '../layout/frame.ts';
import type { FramePlan, SaveSignature } from '../layout/frame.ts';
import type { ContinuationTarget } from '../continuation/continuation-module.ts';
import { STRETCH_END } from '../rewriting/loops.ts';
import type { Numbering } from '../layout/numbering.ts';
import type { TypeTable } from '../rewriting/target.ts';

type LocalNamer = (local: number) => string;

export class DescribedNames {
  readonly #module: Module;
  readonly #n: Numbering;

  constructor(module: Module, numbering: Numbering) {
    this.#module = module;
    this.#n = numbering;
  }

  /** `(param i32) (result i32)`; empty for neither, and for a type that does not exist. */
  type(type: FunctionType | undefined): string {
    const list = (word: string, types: TypeList): string[] =>
      types.length === 0 ? [] : [`(${word} ${Array.from(types, (value) => this.valueType(value)).join(' ')})`];
    return type === undefined ? '' : [...list('param', type.params), ...list('result', type.results)].join(' ');
  }

  valueType(type: ValueType): string {
    return this.#module.references.name(type);
  }

  /** A function of the original. */
  function(index: number): string {
    const name = functionName(this.#module, index) ?? this.#outsideName(index);
    return name === null ? String(index) : `$${name}`;
  }

  /** What an imported function is imported as, or any function is exported as. */
  #outsideName(index: number): string | null {
    const { imports, exports } = this.#module;
    const imported = imports.filter(({ kind }) => kind === 'function')[index];
    if (imported !== undefined) return `${imported.module}.${imported.name}`;
    return exports.find((entry) => entry.kind === 'function' && entry.index === index)?.name ?? null;
  }

  /** Names in the original code of function `index`. */
  original(index: number): Namer {
    const locals = this.#ownLocals(index);
    return this.#namer({
      function: (at) => this.function(at),
      local: locals,
      type: (at) => this.type(this.#module.types[at]),
    });
  }

  /** Names in its rewritten code. @param plan null if no frame of it is saved */
  rewritten(index: number, plan: FramePlan | null, types: TypeTable): Namer {
    return this.#namer({
      function: (at) => this.#rewrittenFunction(at),
      local: plan === null ? this.#ownLocals(index) : this.locals(index, plan),
      type: (at) => this.type(types.at(at)),
    });
  }

  /** Names in the code of one of its continuations. */
  continuation(index: number, plan: FramePlan, target: ContinuationTarget): Namer {
    return this.#namer({
      function: (at) => this.#rewrittenFunction(target.functions[at] ?? -1),
      local: this.locals(index, plan),
      type: (at) => this.type(target.types.at(at)),
      table: (at) => (at === target.continuationTable ? '$continuations' : String(at)),
    });
  }

  #namer(spaces: { readonly [space in Parameters<Namer>[0]]?: LocalNamer }): Namer {
    const n = this.#n;
    const engine: typeof spaces = {
      memory: (at) => (at === n.controlMemory ? '$control' : String(at)),
      global: (at) => (at === n.savePointer ? '$savePointer' : String(at)),
      tag: (at) => (at === n.unwindTag ? '$unwind' : String(at)),
      type: (at) => `(type ${at})`,
    };
    return (space, at) => (spaces[space] ?? engine[space] ?? String)(at);
  }

  #rewrittenFunction(at: number): string {
    const n = this.#n;
    if (at < n.firstWrapper) return this.function(at);
    if (at < n.firstFixed) return `$wrapped:${this.function(at - n.firstWrapper).replace(/^\$/, '')}`;
    if (at < n.firstSegmentHelper) return `$${n.fixedHelpers[at - n.firstFixed]}`;
    const wait = n.waitUse(at);
    if (wait !== undefined) return `$${wait.kind}.${wait.memory}.${wait.offset}`;
    const bulk = n.bulkUse(at);
    if (bulk !== undefined)
      return `$${bulk.kind}.${bulk.memory}${bulk.kind === 'memory.fill' ? '' : `.${bulk.source}`}`;
    if (at < n.firstSaveHelper) {
      const use = n.segmentUses[at - n.firstSegmentHelper]!;
      return `$${use.kind}.${use.segment}`;
    }
    const signature = n.saveSignatures[at - n.firstSaveHelper];
    return signature === undefined ? String(at) : saveName(signature);
  }

  #ownLocals(index: number): LocalNamer {
    const names = localNames(this.#module, index);
    return (local) => {
      const name = names.get(local);
      return name === undefined ? String(local) : `$${name}`;
    };
  }

  /** Names of all locals of a function whose frames are saved. */
  locals(index: number, plan: FramePlan): LocalNamer {
    const added = new Map<number, string>([[plan.pcLocal, '$pc']]);
    const add = (locals: ReadonlyMap<number, number>, word: string): void => {
      for (const [key, local] of locals) {
        const position = Math.floor(key / 256);
        if (position === STRETCH_END) added.set(local, '$stretchEnd');
        else if (position >= CAUGHT) added.set(local, `$caught${position - CAUGHT}`);
        else added.set(local, `$${word}${position}`);
      }
    };
    add(plan.spills, 'operand');
    add(plan.temporaries, 'argument');
    const own = this.#ownLocals(index);
    return (local) => added.get(local) ?? own(local);
  }
}

/** How many of each type it takes, and a `+` if the record goes on, or if it has begun before. */
function saveName({ counts, before }: SaveSignature): string {
  const parts = SAVED_TYPES.flatMap((type, i) => (counts[i] === 0 ? [] : [`${counts[i]}${typeName(type)}`]));
  const whole = parts.map((part) => `.${part}`).join('');
  if (before === null) return `$save+${whole}`;
  return `$save${before === 0 ? '' : `+${before}`}${whole}`;
}
