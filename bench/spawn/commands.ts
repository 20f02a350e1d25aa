/** Command lines that run a program as Godwit does and as plain Node does. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const godwit = path.join(import.meta.dirname, '../../bin/godwit');
const wasiMain = path.join(import.meta.dirname, 'wasi-main.mjs');

export interface Command {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** `godwit run` by way of the node that has this control socket. */
export function godwitRun(socket: string, file: string, args: readonly string[], cwd: string): Command {
  return { args: [godwit, 'run', file, ...args], env: { ...process.env, GODWIT_SOCKET: socket }, cwd };
}

/** `godwit run` where no node runs. @param cwd given to the program, and holds nothing else */
export function embeddedGodwit(file: string, args: readonly string[], cwd: string): Command {
  const { GODWIT_SOCKET: _, ...env } = process.env;
  return { args: [godwit, 'run', file, ...args], env: { ...env, XDG_RUNTIME_DIR: cwd }, cwd };
}

/** The same Node with `node:wasi`, in a script without anything that is not needed. */
export function nodeWasi(file: string, args: readonly string[], cwd: string): Command {
  return { args: ['--no-warnings', wasiMain, file, ...args], env: process.env, cwd };
}

/** @returns its standard output @throws Error if it fails or is ended by `signal` */
export async function run({ args, env, cwd }: Command, signal: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...args], { env, cwd, signal });
  return stdout;
}
