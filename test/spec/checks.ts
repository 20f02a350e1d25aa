/**
 * Turns the actions on a module into functions of that module, which perform the action and compare its results. So
 * the same code checks the original, the rewritten module and one that is captured in the middle of the action; and
 * arguments and results of every type lie on the stack of a captured frame, since a loop without content, which the
 * rewriter gives a safepoint, stands before and behind each action.
 *
 * Only functions are appended, so every number of the module stays what it was.
 */
import { WasmReader } from '../../src/wasm/reader.ts';
import type { Action, Expected } from './script.ts';
import { compareValue, pushValue } from './values.ts';

/** An action with what it must lead to. */
export interface Check {
  readonly action: Action;
  readonly expected: Expected;
}

/** How a check is called, and what tells that it went well. */
export interface CheckCall {
  readonly export: string;
  /** The argument that chooses among the checks of one export; null if the export is one check. */
  readonly choice: bigint | null;
  /** Numbers of the host objects that are its arguments. */
  readonly hosts: readonly number[];
  /** Numbers of the host objects that it must return behind the 1. */
  readonly returned: readonly number[];
}

export interface CheckedModule {
  readonly text: string;
  readonly calls: readonly CheckCall[];
}

/**
 * Checks that one exported function chooses from: V8 makes an object for each export of each instance, and captures
 * make many instances.
 */
const CHECKS_PER_EXPORT = 64;

/** Prefix of the names of functions and exports that are added; no script uses it. */
const PREFIX = 'spec-check';

/** @param exports the module's exports, see {@link exportIndices} */
export function withChecks(
  text: string,
  checks: readonly Check[],
  exports: ReadonlyMap<string, number>,
): CheckedModule {
  const fields: string[] = [];
  const calls: CheckCall[] = [];
  const chosen: string[] = [];
  const nonNull = text.includes('(ref extern)');
  for (const [number, check] of checks.entries()) {
    const name = `$${PREFIX}-${number}`;
    const { code, hosts, returned } = checkFunction(name, check, exports, nonNull);
    if (hosts.length + returned.length > 0) {
      const own = `${PREFIX}-${number}`;
      fields.push(`(func ${name} (export "${own}") ${code}`);
      calls.push({ export: own, choice: null, hosts, returned });
    } else {
      fields.push(`(func ${name} ${code}`);
      const group = Math.floor(chosen.length / CHECKS_PER_EXPORT);
      const choice = BigInt(chosen.length % CHECKS_PER_EXPORT);
      calls.push({ export: `${PREFIX}s-${group}`, choice, hosts, returned });
      chosen.push(name);
    }
  }
  for (let first = 0; first < chosen.length; first += CHECKS_PER_EXPORT) {
    fields.push(choiceFunction(first / CHECKS_PER_EXPORT, chosen.slice(first, first + CHECKS_PER_EXPORT)));
  }
  return { text: `${text.slice(0, text.lastIndexOf(')'))}\n${fields.join('\n')})`, calls };
}

function checkFunction(
  name: string,
  { action, expected }: Check,
  exports: ReadonlyMap<string, number>,
  nonNull: boolean,
): { code: string; hosts: number[]; returned: number[] } {
  const index = exports.get(`${action.type === 'get' ? 'global' : 'function'} ${action.name}`);
  if (index === undefined) throw new Error(`no export ${JSON.stringify(action.name)}`);
  const hosts: number[] = [];
  const args = action.args.map((value) => pushValue(value, hosts, nonNull));
  const act = action.type === 'get' ? `global.get ${index}` : `call ${index}`;
  const results = expected.type === 'return' ? expected.results : [];
  const comparisons = results.map((result, i) => compareValue(result, `${name}-${i}`));
  const params = hosts.map(() => '(param externref)').join(' ');
  const returned = comparisons.flatMap(({ host }) => (host === null ? [] : [host]));
  const signature = `${params} (result i32 ${'externref '.repeat(returned.length)})`;
  const body = [...args, '(loop)', act, '(loop)'];
  const locals: string[] = [];
  if (expected.type === 'return') {
    // The last result lies on top.
    for (let i = results.length - 1; i >= 0; i--) {
      const { code, local } = comparisons[i]!;
      if (local !== null) locals.push(`(local ${name}-${i} ${local})`);
      locals.push(`(local ${name}-right-${i} i32)`);
      body.push(code, `local.set ${name}-right-${i}`);
    }
    body.push('i32.const 1', ...results.map((_, i) => `local.get ${name}-right-${i} i32.and`));
    for (const [i, { host }] of comparisons.entries()) if (host !== null) body.push(`local.get ${name}-${i}`);
  } else {
    // Whatever it returns is left behind.
    body.push('i32.const 1', 'return');
  }
  return { code: `${signature} ${locals.join(' ')}\n  ${body.join('\n  ')})`, hosts, returned };
}

/**
 * The type of its parameter keeps it from being taken for a target of the module's own indirect calls, which would
 * change what the rewriter finds out about these.
 */
function choiceFunction(group: number, names: readonly string[]): string {
  const blocks = names.map(() => '(block').join(' ');
  const labels = names.map((_, i) => i).join(' ');
  const calls = names.map((name) => `) (return (call ${name}))`).join('\n  ');
  return `(func (export "${PREFIX}s-${group}") (param i64) (result i32)
  ${blocks} (br_table ${labels} (i32.wrap_i64 (local.get 0)))
  ${calls} unreachable)`;
}

const KINDS = ['function', 'table', 'memory', 'global', 'tag'];

/** @returns by `kind name` (`function add`), the index of each export of a module */
export function exportIndices(bytes: Uint8Array): Map<string, number> {
  const found = new Map<string, number>();
  const r = new WasmReader(bytes, 8);
  while (r.pos < bytes.length) {
    const id = r.u8();
    const size = r.u32();
    const end = r.pos + size;
    if (id === 7) {
      for (let count = r.u32(); count > 0; count--) {
        const name = r.name();
        found.set(`${KINDS[r.u8()]} ${name}`, r.u32());
      }
    }
    r.pos = end;
  }
  return found;
}
