/**
 * One system call as a line of text in the manner of strace, made from the table:
 * `fd_write(fd=1, buffers=["hello\n"]) = count=6`, `path_open(fd=3, lookup=1, path="x", …) = ENOENT`.
 */
import { errnoName } from './errno.ts';
import type { Outcome } from './marshal.ts';
import { gather, totalLength } from './memory.ts';
import type { PREVIEW1, Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import type { Args, ParamKind } from './kinds.ts';

/** Bytes of a buffer that are shown. */
const SHOWN_BYTES = 32;
/** Characters of a path that are shown. */
const SHOWN_CHARACTERS = 200;

/**
 * @param outcome null for a call that has not come back (yet): `= ?`
 * @returns one line without a line feed, of bounded length
 */
export function traceLine<N extends Preview1Name>(
  name: N,
  args: Args<(typeof PREVIEW1)[N]>,
  outcome: Outcome<N> | null,
): string {
  const values = args as Readonly<Record<string, unknown>>;
  const results =
    outcome !== null && 'results' in outcome ? (outcome.results as Readonly<Record<string, unknown>>) : {};
  const filled = typeof results['count'] === 'number' ? results['count'] : 0;
  const shown = shapeOf(name).params.flatMap(({ name: param, kind }) =>
    kind === 'events' ? [] : [`${param}=${showParam(kind, values[param], filled)}`],
  );
  return `${name}(${shown.join(', ')}) = ${showOutcome(outcome, results)}`;
}

function showOutcome(outcome: object | null, results: Readonly<Record<string, unknown>>): string {
  if (outcome === null) return '?';
  if ('errno' in outcome) return `E${errnoName(Number(outcome.errno)).toUpperCase()}`;
  const shown = Object.entries(results).map(([name, value]) => `${name}=${showValue(value)}`);
  return shown.length === 0 ? '0' : shown.join(', ');
}

/** @param filled how much of the out-buffers the call has filled: the rest is not shown */
function showParam(kind: ParamKind, value: unknown, filled: number): string {
  if (kind === 'inBuffers') return showBytes(value as readonly Uint8Array[], Number.MAX_SAFE_INTEGER);
  if (kind === 'outBuffers') return showBytes(value as readonly Uint8Array[], filled);
  if (kind === 'outBytes') return showBytes([value as Uint8Array], filled);
  return showValue(value);
}

function showBytes(buffers: readonly Uint8Array[], filled: number): string {
  const length = Math.min(filled, totalLength(buffers));
  const text = String.fromCharCode(...gather(buffers, Math.min(length, SHOWN_BYTES)));
  const escaped = JSON.stringify(text).replaceAll(/[\u007f-\u00ff]|\\u00/g, (found) =>
    found.length > 1 ? '\\x' : `\\x${found.charCodeAt(0).toString(16)}`,
  );
  return length > SHOWN_BYTES ? `${escaped}... ${length} bytes` : escaped;
}

function showValue(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > SHOWN_CHARACTERS
      ? `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))}...`
      : JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    const shown = value.slice(0, SHOWN_ENTRIES).map(showValue);
    return `[${shown.join(', ')}${value.length > SHOWN_ENTRIES ? `, ... ${value.length} in all` : ''}]`;
  }
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([name, field]) => `${name}=${showValue(field)}`)
      .join(', ')}}`;
  }
  return String(value);
}
const SHOWN_ENTRIES = 4;
