/**
 * The commands of a test script (`.wast`), as the reference interpreter's README in WebAssembly/spec defines them:
 * modules, actions on their instances, and assertions about both.
 */
import { ExpressionReader, isOtherModule, isWord } from './sexpr.ts';
import type { Expression, List } from './sexpr.ts';

export type ModuleSource =
  /** `(module …)` in the text format; the script's own words `definition` and the module's name are left out. */
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'binary'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** A text in a string, which a reader of the text format may have to refuse. */
  | { readonly type: 'quote'; readonly bytes: Uint8Array<ArrayBuffer> };

/** A constant, or what a result must be: `i32.const 1`, `f32.const nan:canonical`, `ref.null func`, `either …`. */
export interface Value {
  /** The head: `i32.const`, `v128.const`, `ref.extern`, …, `either`. */
  readonly head: string;
  /** The words behind it, as they are written. */
  readonly words: readonly string[];
  /** What `either` leaves to choose from; otherwise empty. */
  readonly choices: readonly Value[];
}

export interface Action {
  readonly type: 'invoke' | 'get';
  /** Name of the instance (`$M`), null for the latest. */
  readonly instance: string | null;
  readonly name: string;
  readonly args: readonly Value[];
}

/** What an action has to lead to; `none` for an action that only has to return. */
export type Expected =
  | { readonly type: 'return'; readonly results: readonly Value[] }
  | { readonly type: 'none' | 'trap' | 'exhaustion' | 'exception' };

export type Command = { readonly line: number } & (
  | {
      readonly type: 'module';
      readonly name: string | null;
      readonly instantiate: boolean;
      readonly source: ModuleSource;
    }
  | { readonly type: 'instance'; readonly name: string | null; readonly definition: string | null }
  | { readonly type: 'register'; readonly as: string; readonly instance: string | null }
  | { readonly type: 'action'; readonly action: Action; readonly expected: Expected }
  /** A module that must be refused: by the decoder, by validation, when it is linked, or by a trap when it starts. */
  | { readonly type: 'refuse'; readonly why: Refusal; readonly source: ModuleSource }
);

export type Refusal = 'malformed' | 'invalid' | 'unlinkable' | 'trap';

const REFUSALS: Readonly<Record<string, Refusal>> = {
  assert_malformed: 'malformed',
  assert_invalid: 'invalid',
  assert_unlinkable: 'unlinkable',
  assert_trap: 'trap',
  assert_uninstantiable: 'trap',
};

/** Heads of a module's fields: a script may consist of these alone. */
const FIELDS = new Set([
  'func',
  'memory',
  'table',
  'global',
  'type',
  'export',
  'import',
  'elem',
  'data',
  'start',
  'tag',
]);

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws SyntaxError that names the line of a command that is not known */
export function readScript(source: string): Command[] {
  const reader = new ExpressionReader(source);
  const commands: Command[] = [];
  const lines = new LineCounter(source);
  for (let form = reader.next(); form !== null; form = reader.next()) {
    if (form.type !== 'list') throw new SyntaxError(`a word outside of commands in line ${lines.at(source.length)}`);
    const line = lines.at(form.start);
    const head = wordOf(form.items[0]);
    // A script that is nothing but the fields of one module.
    if (FIELDS.has(head)) {
      const module: ModuleSource = { type: 'text', text: `(module ${source})` };
      return [{ line, type: 'module', name: null, instantiate: true, source: module }];
    }
    commands.push({ line, ...readCommand(source, head, form, line) });
  }
  return commands;
}

type Unplaced = Command extends infer C ? (C extends Command ? Omit<C, 'line'> : never) : never;

function readCommand(source: string, head: string, form: List, line: number): Unplaced {
  const operand = form.items[1];
  switch (head) {
    case 'module':
      return readModule(source, form);
    case 'register':
      return { type: 'register', as: textOf(operand), instance: nameOf(form.items[2]) };
    case 'invoke':
    case 'get':
      return { type: 'action', action: readAction(form), expected: { type: 'none' } };
    case 'assert_return': {
      const results = form.items.slice(2).map(readValue);
      return { type: 'action', action: readAction(listOf(operand)), expected: { type: 'return', results } };
    }
    case 'assert_exhaustion':
    case 'assert_exception': {
      const type = head === 'assert_exhaustion' ? 'exhaustion' : 'exception';
      return { type: 'action', action: readAction(listOf(operand)), expected: { type } };
    }
    default: {
      const why = REFUSALS[head];
      const subject = listOf(operand);
      if (why === undefined) throw new SyntaxError(`line ${line}: unknown command ${head}`);
      if (!isWord(subject.items[0], 'module'))
        return { type: 'action', action: readAction(subject), expected: { type: 'trap' } };
      const module = readModule(source, subject);
      if (module.type !== 'module') throw new SyntaxError(`line ${line}: a module is wanted`);
      return { type: 'refuse', why, source: module.source };
    }
  }
}

function readModule(source: string, form: List): Extract<Unplaced, { type: 'module' | 'instance' }> {
  const rest = form.items.slice(1);
  if (isWord(rest[0], 'instance')) {
    return { type: 'instance', name: nameOf(rest[1]), definition: nameOf(rest[2]) };
  }
  const instantiate = !isWord(rest[0], 'definition');
  if (!instantiate) rest.shift();
  const name = nameOf(rest[0]);
  if (name !== null) rest.shift();
  return { type: 'module', name, instantiate, source: readSource(source, form, rest) };
}

function readSource(source: string, form: List, rest: readonly Expression[]): ModuleSource {
  if (isOtherModule(rest[0])) {
    const pieces = rest.slice(1).map((piece) => (piece.type === 'string' ? piece.bytes : new Uint8Array(0)));
    const bytes = new Uint8Array(Buffer.concat(pieces));
    return isWord(rest[0], 'quote') ? { type: 'quote', bytes } : { type: 'binary', bytes };
  }
  const text = source.slice(form.start, form.end);
  return { type: 'text', text: text.replace(/^\(\s*module(?:\s+definition)?(?:\s+\$[^\s()]+)?/, '(module') };
}

function readAction(form: List): Action {
  const type = wordOf(form.items[0]);
  if (type !== 'invoke' && type !== 'get') throw new SyntaxError(`unknown action ${type}`);
  const instance = nameOf(form.items[1]);
  const rest = form.items.slice(instance === null ? 1 : 2);
  return { type, instance, name: textOf(rest[0]), args: rest.slice(1).map(readValue) };
}

function readValue(item: Expression): Value {
  const form = listOf(item);
  const head = wordOf(form.items[0]);
  const rest = form.items.slice(1);
  if (head === 'either') return { head, words: [], choices: rest.map(readValue) };
  return { head, words: rest.map(wordOf), choices: [] };
}

function listOf(item: Expression | undefined): List {
  if (item?.type !== 'list') throw new SyntaxError('a list is wanted');
  return item;
}

function wordOf(item: Expression | undefined): string {
  if (item?.type !== 'word') throw new SyntaxError('a word is wanted');
  return item.text;
}

function textOf(item: Expression | undefined): string {
  if (item?.type !== 'string') throw new SyntaxError('a string is wanted');
  return decoder.decode(item.bytes);
}

function nameOf(item: Expression | undefined): string | null {
  return item?.type === 'word' && item.text.startsWith('$') ? item.text : null;
}

/** Line numbers of offsets that only grow. */
class LineCounter {
  readonly #source: string;
  #offset = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  at(offset: number): number {
    for (; this.#offset < offset; this.#offset++) if (this.#source[this.#offset] === '\n') this.#line++;
    return this.#line;
  }
}
