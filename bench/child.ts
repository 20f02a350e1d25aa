/** A part of a benchmark in a Node of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { GodwitError } from '../src/base/errors.ts';

/**
 * @param args of Node: its options, a script, the script's arguments
 * @returns the JSON that it has printed
 * @throws GodwitError `internal` if it fails, with what it said last; the signal's reason if that ends it
 */
export async function answerOf(args: readonly string[], signal: AbortSignal): Promise<unknown> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const [stdout, stderr, [status, ended]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  if (status === 0) return JSON.parse(stdout);
  // The error's own line, not the stack around it.
  const words = stderr.split('\n').find((line) => /Error\b.*: /.test(line)) ?? stderr.trim();
  throw new GodwitError('internal', `a measured process ended ${ended ?? `with status ${status}`}: ${words}`);
}
