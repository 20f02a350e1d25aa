/** From the options of `godwit run` to what the node is asked to run. */
import fs from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import type { DirectoryGrant, RunSpec } from '../node/daemon.ts';
import { parseInterval } from './format.ts';
import type { Invocation } from './parse.ts';
import { reasonOf } from './report.ts';

/** `HOST` or `HOST::GUEST`; the guest's name is HOST as it was written, unless given. */
function parseDirectory(text: string, cwd: string): DirectoryGrant {
  const [host = '', guest = host, ...rest] = text.split('::');
  if (host === '' || guest === '' || rest.length > 0) {
    throw new GodwitError('usage', `run: --dir ${text} is not HOST or HOST::GUEST; "godwit help run" shows how`);
  }
  const absolute = path.resolve(cwd, host);
  const stat = statOf(absolute, (reason) => new GodwitError('io', `cannot give directory ${host}: ${reason}`));
  if (!stat.isDirectory()) throw new GodwitError('io', `cannot give directory ${host}: not a directory`);
  return { host: absolute, guest };
}

/** `NAME` takes the value from here, or nothing if there is none; `NAME=VALUE` as it is. */
function parseEnvironment(texts: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const entries = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = at === -1 ? text : text.slice(0, at);
    if (name === '') throw new GodwitError('usage', `run: --env ${text} is not NAME or NAME=VALUE`);
    const value = at === -1 ? env[name] : text.slice(at + 1);
    if (value !== undefined) entries.set(name, value);
  }
  return [...entries].map(([name, value]) => `${name}=${value}`);
}

function statOf(file: string, failure: (reason: string, code: string) => GodwitError): fs.Stats {
  try {
    return fs.statSync(file);
  } catch (error) {
    throw failure(reasonOf(error), (error as NodeJS.ErrnoException).code ?? '');
  }
}

/**
 * Looks at the program but does not open it: that is the node's.
 * @throws GodwitError `not_found` or `not_runnable`
 */
function requireProgram(given: string, absolute: string): void {
  const stat = statOf(
    absolute,
    (reason, code) =>
      new GodwitError(
        code === 'ENOENT' || code === 'ENOTDIR' ? 'not_found' : 'not_runnable',
        `cannot read ${given}: ${reason}`,
      ),
  );
  if (stat.isDirectory()) throw new GodwitError('not_runnable', `cannot run ${given}: it is a directory`);
  try {
    fs.accessSync(absolute, fs.constants.R_OK);
  } catch {
    throw new GodwitError('not_runnable', `cannot read ${given}: permission denied`);
  }
}

/** @throws GodwitError `usage`, `not_found`, `not_runnable`, `io` */
export function runSpec(invocation: Invocation, here: string, env: NodeJS.ProcessEnv): RunSpec {
  const [program = '', ...args] = invocation.args;
  const absolute = path.resolve(here, program);
  requireProgram(program, absolute);
  const cwd = path.resolve(here, invocation.value('cwd') ?? '.');
  statOf(cwd, (reason) => new GodwitError('io', `cannot use --cwd ${invocation.value('cwd') ?? '.'}: ${reason}`));
  const dirs = invocation.values('dir');
  const hop = invocation.value('hop');
  return {
    program: absolute,
    args: [program, ...args],
    env: parseEnvironment(invocation.values('env'), env),
    cwd,
    dirs: (dirs.length > 0 ? dirs : ['.']).map((dir) => parseDirectory(dir, cwd)),
    listen: invocation.values('listen'),
    pin: invocation.flag('pin'),
    detach: invocation.flag('detach'),
    hopMicros: hop === undefined ? null : parseInterval(hop),
    node: invocation.value('node') ?? null,
  };
}
