/** From the options of `godwit run` to what the node is asked to run. */
import fs from 'node:fs';
import path from 'node:path';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { encodeOsText } from '../base/os-text.ts';
import type { DirectoryGrant, RunSpec } from '../node/daemon.ts';
import { hostPath } from '../vfs/host-path.ts';
import { parseInterval } from './format.ts';
import type { Invocation } from './parse.ts';
import { requireProgramFile } from './program-file.ts';
import { reasonOf } from './report.ts';

/** `HOST` or `HOST::GUEST`; the guest's name is HOST as it was written, unless given. */
function parseDirectory(text: string, cwd: string): DirectoryGrant {
  const [host = '', guest = host, ...rest] = text.split('::');
  if (host === '' || guest === '' || rest.length > 0) {
    throw new GodwitError('usage', `run: --dir ${text} is not HOST or HOST::GUEST; "godwit help run" shows how`);
  }
  const absolute = path.resolve(cwd, host);
  requireDirectory('give directory', host, absolute);
  return { host: absolute, guest };
}

/** `NAME` takes the value from here, or nothing if there is none; `NAME=VALUE` as it is. */
function parseEnvironment(texts: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const entries = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = at === -1 ? text : text.slice(0, at);
    if (name === '')
      throw new GodwitError('usage', `run: --env ${text} is not NAME or NAME=VALUE; "godwit help run" shows how`);
    const value = at === -1 ? env[name] : text.slice(at + 1);
    if (value !== undefined) entries.set(name, value);
  }
  return [...entries].map(([name, value]) => `${name}=${value}`);
}

/** @param purpose what cannot be done with it. @throws GodwitError `io` */
function requireDirectory(purpose: string, given: string, absolute: string): void {
  const refuse = (reason: string): never => {
    throw new GodwitError('io', `cannot ${purpose} ${given}: ${reason}`);
  };
  let stat: fs.Stats;
  try {
    stat = fs.statSync(hostPath(absolute));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return refuse('there is no such directory; make it, or name another');
    return refuse(`${reasonOf(error)}; name another directory`);
  }
  if (!stat.isDirectory()) refuse('it is no directory; name the one that the file is in');
}

/** @throws GodwitError `limit` for more than a message to the node may hold */
function requireSendable(one: string, many: string, texts: readonly string[]): void {
  if (texts.length > LIMITS.listEntries) {
    throw new GodwitError('limit', `run: ${texts.length} ${many}; at most ${LIMITS.listEntries} can be given`);
  }
  for (const text of texts) {
    const bytes = encodeOsText(text).length;
    if (bytes <= LIMITS.stringBytes) continue;
    throw new GodwitError('limit', `run: ${one} of ${bytes} bytes; at most ${LIMITS.stringBytes} can be given`);
  }
}

/** @throws GodwitError `usage`, `limit`, `not_found`, `not_runnable`, `io` */
export function runSpec(invocation: Invocation, here: string, env: NodeJS.ProcessEnv): RunSpec {
  const [program = '', ...args] = invocation.args;
  const absolute = path.resolve(here, program);
  requireProgramFile('run', program, absolute);
  const given = invocation.value('cwd') ?? '.';
  const cwd = path.resolve(here, given);
  requireDirectory('use --cwd', given, cwd);
  const dirs = invocation.values('dir');
  requireSendable('an argument', 'arguments', [program, ...args]);
  const entries = parseEnvironment(invocation.values('env'), env);
  requireSendable('an entry of --env', 'of --env', entries);
  const hop = invocation.value('hop');
  return {
    program: absolute,
    args: [program, ...args],
    env: entries,
    cwd,
    umask: process.umask(),
    dirs: (dirs.length > 0 ? dirs : ['.']).map((dir) => parseDirectory(dir, cwd)),
    listen: invocation.values('listen'),
    pin: invocation.flag('pin'),
    detach: invocation.flag('detach'),
    hopMicros: hop === undefined ? null : parseInterval(hop),
    node: invocation.value('node') ?? null,
  };
}
