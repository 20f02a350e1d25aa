/** What stands behind a benchmark's name, looked at before anything is measured. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../src/base/errors.ts';
import { requireProgramFile } from '../src/cli/program-file.ts';
import { refusalOf } from '../src/guest/runnable.ts';
import { decodeModule } from '../src/wasm/decode.ts';
import { importsOf } from '../src/wasm/module.ts';
import { withAdvice } from '../src/wasm/advice.ts';
import type { Benchmark } from './benchmark.ts';
import { KERNELS, REAL_KERNELS } from './kernels.ts';
import { MOST_MB } from './migrate.ts';

type Check = (operands: readonly string[], name: string) => void;

/** By the form that the benchmark's usage line shows. */
const CHECKS: Readonly<Record<string, Check>> = {
  '': (operands, name) => atMost(0, operands, name),
  '[KERNEL...]': (operands) => {
    const names = KERNELS.map((kernel) => kernel.name);
    const unknown = operands.find((operand) => !names.includes(operand));
    if (unknown !== undefined) refuse(`there is no kernel ${unknown}; there are ${names.join(', ')}`);
  },
  '[MB...]': (operands) => {
    const wrong = operands.find((text) => !/^[1-9]\d{0,3}$/.test(text) || Number(text) > MOST_MB);
    if (wrong !== undefined) refuse(`"${wrong}" is no size: whole MiB from 1 to ${MOST_MB}`);
  },
  '[FILE.wasm]': ([file, ...more], name) => {
    if (file !== undefined) requireModule(file);
    atMost(0, more, name);
  },
  '[KERNEL...|real|FILE.wasm [ARGS...]]': (operands) => {
    const known = new Set(['real', ...[...KERNELS, ...REAL_KERNELS].map((kernel) => kernel.name)]);
    const [file] = operands;
    if (file === undefined || operands.every((operand) => known.has(operand))) return;
    const module = requireModule(file);
    const refusal = refusalOf({ imports: importsOf(module), exports: module.exports, module });
    if (refusal !== null) throw new GodwitError(refusal.code, `cannot run ${file}: ${refusal.reason}`);
  },
};

/** @throws GodwitError `usage`, `not_found`, `not_runnable`, or what is wrong with a module */
export function checkOperands({ name, operands: form }: Benchmark, operands: readonly string[]): void {
  CHECKS[form]?.(operands, name);
}

function atMost(count: number, operands: readonly string[], name: string): void {
  if (operands.length > count) refuse(`unexpected operand "${operands[count]}" of ${name}`);
}

function refuse(reason: string): never {
  throw new GodwitError('usage', `${reason}; "npm run bench -- --help" shows how`);
}

function requireModule(file: string): ReturnType<typeof decodeModule> {
  const absolute = path.resolve(file);
  requireProgramFile('read', file, absolute);
  try {
    return decodeModule(readFileSync(absolute));
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    throw new GodwitError(error.code, `cannot use ${file}: ${withAdvice(error)}`, { cause: error });
  }
}
