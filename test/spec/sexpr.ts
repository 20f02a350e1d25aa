/**
 * S-expressions of the WebAssembly text format (core specification, section 6.3): what a test script is written in.
 * Only the script's own forms are taken apart; the text of a module is passed over as a whole, since a library makes
 * binaries of it.
 */

/** A word: a keyword, a number, an identifier. `start` and `end` are offsets in the script. */
export interface Word {
  readonly type: 'word';
  readonly text: string;
}

/** A string, as the bytes that its escapes stand for; they need not be UTF-8. */
export interface Text {
  readonly type: 'string';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface List {
  readonly type: 'list';
  /** Empty behind the head for a module whose text was passed over. */
  readonly items: readonly Expression[];
  readonly start: number;
  readonly end: number;
}

export type Expression = Word | Text | List;

/** What follows `module` (and a name) if the module is not written as text. */
const OTHER_MODULES = new Set(['binary', 'quote', 'instance']);

/** Space, line comment, block comment; then one token. Strings and comments may hold parentheses. */
const LINE_COMMENT = /;;[^\n\r]*/y;
const WORD = /(?:[^\s()";]|;(?!;))+/y;
const STRING = /"(?:[^"\\]|\\[\s\S])*"/y;
const SPACE = /\s+/y;

export class ExpressionReader {
  readonly source: string;
  #at = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** @returns the next expression; null at the end, or before a closing parenthesis, which is passed */
  next(): Expression | null {
    let first = this.#peek();
    for (; first === '(' && this.source.startsWith('@', this.#at + 1); first = this.#peek()) this.#annotation();
    if (first === '') return null;
    if (first === ')') {
      this.#at++;
      return null;
    }
    if (first === '(') return this.#list();
    if (first === '"') return { type: 'string', bytes: unescape(this.#match(STRING)) };
    return { type: 'word', text: this.#match(WORD) };
  }

  /** `(@name …)`, which means nothing here. */
  #annotation(): void {
    this.#at++;
    this.#skipToClose();
  }

  #list(): List {
    const start = this.#at++;
    const items: Expression[] = [];
    for (let item = this.next(); item !== null; item = this.next()) {
      items.push(item);
      if (isWord(items[0], 'module') && this.#isText(items)) {
        this.#skipToClose();
        break;
      }
    }
    return { type: 'list', items, start, end: this.#at };
  }

  /** Whether what follows is the text of a module: its head has been read, and what stands there is not another form. */
  #isText(items: readonly Expression[]): boolean {
    const last = items.at(-1)!;
    if (last.type !== 'word') return false;
    if (this.#peek() === '(' || this.#peek() === ')') return !items.some((item) => isWord(item, 'instance'));
    return false;
  }

  /** Passes everything up to the parenthesis that closes the current list, and that. */
  #skipToClose(): void {
    for (let depth = 1; depth > 0;) {
      const first = this.#peek();
      if (first === '(') depth++;
      else if (first === ')') depth--;
      if (first === '(' || first === ')') this.#at++;
      else this.#match(first === '"' ? STRING : WORD);
    }
  }

  /** The first character of the next token, '' at the end. */
  #peek(): string {
    for (;;) {
      this.#try(SPACE);
      const { source } = this;
      if (source.startsWith(';;', this.#at)) this.#match(LINE_COMMENT);
      else if (source.startsWith('(;', this.#at)) this.#blockComment();
      else return source.charAt(this.#at);
    }
  }

  #blockComment(): void {
    const delimiter = /\(;|;\)/g;
    let depth = 0;
    do {
      delimiter.lastIndex = this.#at;
      const found = delimiter.exec(this.source);
      if (found === null) throw new SyntaxError(`a block comment without end at ${this.#at}`);
      depth += found[0] === '(;' ? 1 : -1;
      this.#at = delimiter.lastIndex;
    } while (depth > 0);
  }

  #try(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.source);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #match(pattern: RegExp): string {
    const found = this.#try(pattern);
    if (found === null) throw new SyntaxError(`no token at offset ${this.#at}`);
    return found;
  }
}

export function isWord(item: Expression | undefined, text: string): boolean {
  return item?.type === 'word' && item.text === text;
}

/** The heads of modules that are not text. */
export function isOtherModule(item: Expression | undefined): boolean {
  return item?.type === 'word' && OTHER_MODULES.has(item.text);
}

const ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, '"': 0x22, "'": 0x27, '\\': 0x5c };
const encoder = new TextEncoder();

/** @param literal with its quotes */
function unescape(literal: string): Uint8Array<ArrayBuffer> {
  if (!literal.includes('\\')) return encoder.encode(literal.slice(1, -1));
  const bytes: number[] = [];
  const pieces = literal.slice(1, -1).matchAll(/\\u\{([0-9a-fA-F_]+)\}|\\([0-9a-fA-F]{2})|\\(.)|([^\\]+)/gsu);
  for (const [, point, byte, escape, plain] of pieces) {
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else if (escape !== undefined) bytes.push(ESCAPES[escape]!);
    else bytes.push(...encoder.encode(plain ?? String.fromCodePoint(Number.parseInt(point!.replaceAll('_', ''), 16))));
  }
  return Uint8Array.from(bytes);
}
