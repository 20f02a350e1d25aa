/** Random code that throws and catches exceptions, in both forms. */
import { CATCH } from '../../wasm/exceptions.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { Label, Writing } from './writing.ts';
import { forward, labelTypes } from './writing.ts';

/** Throws, sometimes what has been caught. Code behind it is dead. */
export function writeThrow({ code, choices, module, labels, value }: Writing): void {
  const caught = labels.flatMap((label, i) => (label.caught === true ? [labels.length - 1 - i] : []));
  if (caught.length > 0 && choices.below(2) === 1) code.op(OP.rethrow, choices.pick(caught));
  else if (module.exceptions === 'references' && choices.below(6) === 5) {
    value(EXNREF);
    code.op(OP.throwRef);
  } else {
    const tag = choices.below(module.tags.length);
    for (const type of module.tags[tag]!) value(type);
    code.op(OP.throw, tag);
  }
}

/** Code whose exceptions are caught, in the form that the module uses. The parameters are on the stack. */
export function writeTry(at: Writing, params: readonly ValueType[], results: readonly ValueType[]): void {
  if (at.module.exceptions === 'legacy') writeLegacyTry(at, params, results);
  else writeTryTable(at, params, results);
}

/** The older form. */
function writeLegacyTry(at: Writing, params: readonly ValueType[], results: readonly ValueType[]): void {
  const { code, choices, module, labels, inside } = at;
  code.op(OP.try, module.type(params, results));
  const label: Label = { types: results, loop: false };
  labels.push(label);
  inside(params, results);
  if (choices.below(4) === 3) {
    labels.pop();
    code.op(OP.delegate, choices.below(labels.length));
    return;
  }
  label.caught = true;
  for (let clauses = choices.below(3); clauses > 0; clauses--) {
    const tag = choices.below(module.tags.length);
    code.op(OP.catch, tag);
    inside(module.tags[tag]!, results);
  }
  if (choices.below(2) === 1) {
    code.op(OP.catchAll);
    inside([], results);
  }
  labels.pop();
  code.op(OP.end);
}

interface Clause {
  readonly kind: number;
  readonly tag: number;
  /** What its label gets. */
  readonly passed: readonly ValueType[];
}

/** The newer form, in a block that gets the results: clauses lead to blocks of their own or anywhere. */
function writeTryTable(at: Writing, params: readonly ValueType[], results: readonly ValueType[]): void {
  const { code, choices, module, labels, value, inside } = at;
  // The parameters of the whole stay below: they are pushed again for the try_table.
  for (const _ of params) code.op(OP.drop);
  const open = (types: readonly ValueType[]): void => {
    code.op(OP.block, module.type([], types));
    labels.push({ types, loop: false });
  };
  const close = (): void => {
    labels.pop();
    code.op(OP.end);
  };
  const out = labels.length;
  open(results);
  const clauses = Array.from({ length: choices.below(3) }, () => randomClause(at));
  for (const { passed } of clauses) open(passed);
  for (const type of params) value(type);
  const anywhere = forward(labels).filter((label) => labelTypes(labels, label).length === 0);
  const away = anywhere.length > 0 && choices.below(3) === 2 ? choices.pick(anywhere) : null;
  code.op(OP.tryTable, module.type(params, results), clauses.length + (away === null ? 0 : 1));
  clauses.toReversed().forEach(({ kind, tag }, label) => {
    code.u8(kind);
    if (kind < CATCH.all) code.u32(tag);
    code.u32(label);
  });
  if (away !== null) {
    code.u8(CATCH.all);
    code.u32(away);
  }
  labels.push({ types: results, loop: false });
  inside(params, results);
  close();
  for (const { passed } of clauses.toReversed()) {
    code.op(OP.br, labels.length - 1 - out);
    close();
    inside(passed, results);
  }
  close();
}

function randomClause({ choices, module }: Writing): Clause {
  const kind = choices.below(4);
  const tag = choices.below(module.tags.length);
  const payload = kind < CATCH.all ? module.tags[tag]! : [];
  return { kind, tag, passed: kind & 1 ? [...payload, EXNREF] : payload };
}
