/**
 * The rules of exception handling in its two forms: that of the specification, with exception references (core
 * specification, section 3.4, `try_table`, `throw_ref`), and the older one of blocks, which compilers still emit
 * (legacy exception handling, `try`, `catch`, `delegate`, `rethrow`). Engines refuse modules that mix them.
 */
import { ImmediateReader } from './immediates.ts';
import { payloadOf } from './module.ts';
import { OP } from './opcodes.ts';
import { HEAP } from './references.ts';
import { EXNREF, NO_TYPES } from './types.ts';
import type { TypeList } from './types.ts';

/** What a clause of try_table catches, as in the binary format: the low bit is set if it passes the exception on. */
export const CATCH = { tag: 0, tagRef: 1, all: 2, allRef: 3 } as const;

/** A clause of try_table. */
export interface CatchClause {
  /** One of {@link CATCH}. */
  readonly kind: number;
  /** 0 for clauses that catch all. */
  readonly tag: number;
  /** Counted from outside of the try_table. */
  readonly label: number;
}

const OTHER_FORM = 'module uses a mix of legacy and new exception handling instructions';

/** Forms of exception handling that functions have used. */
const NONE = 0;
const LEGACY = 1;
const REFERENCES = 2;

export class ExceptionRules extends ImmediateReader {
  #form: typeof NONE | typeof LEGACY | typeof REFERENCES = NONE;

  /** True once a function has used the older form. */
  get isLegacy(): boolean {
    return this.#form === LEGACY;
  }

  /** @returns false if the instruction has nothing to do with exceptions */
  protected exception(opcode: number): boolean {
    switch (opcode) {
      case OP.tryTable:
        this.#uses(REFERENCES);
        this.#tryTable();
        return true;
      case OP.try:
        this.#uses(LEGACY);
        this.blockType();
        this.popAll(this.blockParams);
        this.low = this.height;
        this.pushFrame(opcode, this.blockParams, this.blockResults);
        return true;
      case OP.catch:
      case OP.catchAll:
        this.#catch(opcode);
        return true;
      case OP.throw:
        this.immediate = this.tagIndex();
        this.popAll(payloadOf(this.module, this.immediate));
        break;
      case OP.throwRef:
        this.#uses(REFERENCES);
        this.pop(EXNREF);
        break;
      case OP.rethrow:
        this.immediate = this.labelIndex();
        if (!this.#isCatch(this.depth - this.immediate)) this.fail(this.start, 'invalid rethrow label');
        break;
      default:
        return false;
    }
    this.low = this.height;
    this.makeDead();
    return true;
  }

  #uses(form: typeof LEGACY | typeof REFERENCES): void {
    this.hasExceptions = true;
    if (this.#form !== NONE && this.#form !== form) this.fail(this.start, OTHER_FORM);
    this.#form = form;
  }

  #isCatch(frame: number): boolean {
    return this.frameOpcode[frame] === OP.catch || this.frameOpcode[frame] === OP.catchAll;
  }

  #tryTable(): void {
    this.blockType();
    const params = this.blockParams;
    const results = this.blockResults;
    const count = this.count(2);
    for (let i = 0; i < count; i++) {
      const { kind, tag, label } = this.#clause();
      this.#checkPassed(kind < CATCH.all ? payloadOf(this.module, tag) : NO_TYPES, kind, this.labelTypes(label));
    }
    this.popAll(params);
    this.low = this.height;
    this.pushFrame(OP.tryTable, params, results);
  }

  #clause(): CatchClause {
    const kind = this.u8();
    if (kind > CATCH.allRef) this.fail(this.pos - 1, `malformed catch clause ${kind}`);
    return { kind, tag: kind < CATCH.all ? this.tagIndex() : 0, label: this.labelIndex() };
  }

  /** A clause branches with the payload and, if it passes the exception on, a reference to it. */
  #checkPassed(payload: TypeList, kind: number, wanted: TypeList): void {
    const { references } = this.module;
    const passed = kind & 1 ? Uint8Array.of(...payload, references.type(HEAP.exn, false)) : payload;
    if (!references.matchAll(passed, wanted)) this.fail(this.start, 'type mismatch: a catch clause and its label');
  }

  /** The clauses of the try_table that begins at `at`; the position stays. */
  catchClauses(at: number): CatchClause[] {
    const behind = this.pos;
    this.pos = at + 1;
    this.blockType();
    const clauses = Array.from({ length: this.count(2) }, () => this.#clause());
    this.pos = behind;
    return clauses;
  }

  #catch(opcode: number): void {
    const { depth } = this;
    const before = this.frameOpcode[depth];
    if (before !== OP.try && before !== OP.catch) this.fail(this.start, 'catch without try');
    const payload = opcode === OP.catch ? payloadOf(this.module, (this.immediate = this.tagIndex())) : NO_TYPES;
    this.closeFrame();
    this.low = this.height;
    this.frameOpcode[depth] = opcode;
    this.frameDead[depth] = 0;
    this.pushAll(payload);
  }

  /** The `delegate` at hand ends its try: reads its label, which counts from outside of the try. */
  protected delegated(): void {
    const at = this.pos;
    if (this.frameOpcode[this.depth] !== OP.try) this.fail(this.start, 'delegate without try');
    this.immediate = this.u32();
    if (this.immediate >= this.depth) this.fail(at, `unknown label ${this.immediate}`);
  }
}
