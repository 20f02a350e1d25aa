/** What the engine makes of functions, as lines for people. */
import { LIMITS } from '../base/limits.ts';
import type { FunctionDescription, Safepoint } from '../capture/description/describe.ts';
import type { Line } from '../wasm/disassemble.ts';

const INDENT = '  ';

/** Code, an instruction a line. */
export function listing(lines: readonly Line[]): string[] {
  return lines.map(({ depth, text }) => INDENT.repeat(depth) + text);
}

/**
 * Code before and after, in one: what was there and is there still after a blank, what is new after `+`, what is gone
 * after `-`, all indented as it is after. Instructions count as the same by their text, wherever labels lead now. Of very
 * large functions all is shown before, and then all after.
 */
export function changes(before: readonly Line[], after: readonly Line[]): string[] {
  if (before.length * after.length > LIMITS.comparedInstructions) {
    return [...listing(before).map((line) => `- ${line}`), ...listing(after).map((line) => `+ ${line}`)];
  }
  const same = commonLengths(before, after);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, now] = [before[i], after[j]];
    if (old !== undefined && now !== undefined && old.text === now.text) {
      lines.push(`  ${INDENT.repeat(now.depth)}${now.text}`);
      i++;
      j++;
    } else if (now !== undefined && (old === undefined || same(i, j + 1) > same(i + 1, j))) {
      lines.push(`+ ${INDENT.repeat(now.depth)}${now.text}`);
      j++;
    } else if (old !== undefined) {
      lines.push(`- ${INDENT.repeat(now?.depth ?? old.depth)}${old.text}`);
      i++;
    }
  }
  return lines;
}

/** How many lines the rests of both have in common, in their order. */
function commonLengths(before: readonly Line[], after: readonly Line[]): (i: number, j: number) => number {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        before[i]!.text === after[j]!.text
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  return (i, j) => lengths[i * width + j]!;
}

const KINDS: Readonly<Record<Safepoint['kind'], string>> = {
  entry: 'poll',
  loop: 'poll',
  call: 'call',
  wait: 'wait',
  bulk: 'bulk',
  import: 'import',
};

/** A line a safepoint: its number, what it is, where it is in the original, the instruction. */
export function safepointLines({ safepoints }: FunctionDescription): string[] {
  const width = String(safepoints.length).length;
  return safepoints.map(({ site, kind, offset, text }) => {
    const at = offset === null ? '' : `0x${offset.toString(16)}`;
    return `${String(site).padStart(width)}  ${KINDS[kind].padEnd(6)}  ${at.padEnd(8)}  ${text}`.trimEnd();
  });
}

/** A line a value of the frame record: its place, its type, what it is. */
export function frameLines({ frame, frameBytes }: FunctionDescription): string[] {
  const width = String(frameBytes).length;
  const types = Math.max(0, ...frame.map(({ type }) => type.length));
  return frame.map(({ at, type, what }) => `${String(at).padStart(width)}  ${type.padEnd(types)}  ${what}`);
}
