/** A place in a random function where code is being written, for those who write code of one kind there. */
import type { ValueType } from '../../wasm/types.ts';
import type { Assembler } from '../code/assembler.ts';
import type { Choices } from './choices.ts';
import type { Surroundings } from './surroundings.ts';

export interface Label {
  readonly types: readonly ValueType[];
  readonly loop: boolean;
  /** A clause of the older form is being written. */
  caught?: boolean;
}

export interface Writing {
  readonly code: Assembler;
  readonly choices: Choices;
  readonly module: Surroundings;
  /** The innermost one last; the function's own first. */
  readonly labels: Label[];
  /** Writes code that leaves a value of the type. */
  readonly value: (type: ValueType) => void;
  /** Writes statements that find the parameters on the stack and leave the results there. */
  readonly inside: (params: readonly ValueType[], results: readonly ValueType[]) => void;
}

/** Labels that may be branched to at will: those that are not loops. */
export function forward(labels: readonly Label[]): number[] {
  return labels.flatMap(({ loop }, i) => (loop ? [] : [labels.length - 1 - i])).toReversed();
}

/** What a branch to the label takes along. @param label 0 for the innermost one */
export function labelTypes(labels: readonly Label[], label: number): readonly ValueType[] {
  return labels[labels.length - 1 - label]!.types;
}
