/** Random code that makes typed references. */
import { OP } from '../../wasm/opcodes.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { Assembler } from '../code/assembler.ts';
import { constantOf } from './operations.ts';
import type { Surroundings } from './surroundings.ts';
import type { Writing } from './writing.ts';

/** A reference with or without null, that comes out of a test for null, or out of one without null. */
export function writeReference({ code, choices, module, labels, value }: Writing, type: ValueType): void {
  const { exact, orNull } = module.referred;
  if (type === orNull && choices.below(2) === 0) {
    value(exact);
    return;
  }
  const onNull = choices.below(2) === 0;
  const open = (types: readonly ValueType[]): void => {
    code.op(OP.block, module.type([], types));
    labels.push({ types, loop: false });
  };
  const close = (): void => {
    labels.pop();
    code.op(OP.end);
  };
  open([exact]);
  if (onNull) open([]);
  value(orNull);
  if (onNull) {
    code.op(OP.brOnNull, 0).op(OP.br, 1);
    close();
  } else code.op(OP.brOnNonNull, 0);
  value(exact);
  close();
}

/** A constant of the type that is made of this number, or one of the functions that it can be a reference to. */
export function writeConstant(code: Assembler, module: Surroundings, type: ValueType, value: number): void {
  const { functions, referred, references } = module;
  if (type !== referred.exact && (type !== referred.orNull || value % 2 === 0)) {
    code.copy(constantOf(type, value, references));
    return;
  }
  const all = functions.filter(({ params, results }) => module.type(params, results) === referred.type);
  code.op(OP.refFunc, all[value % all.length]!.index);
}
