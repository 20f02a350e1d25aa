/** `godwit run` on a fake node: as a child, in a shell and in a terminal. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type FakeProgram, exited, writeAll } from '../../admin/testing/fake-daemon.ts';
import { serveFake } from '../../admin/testing/served.ts';
import type { NodeInfo } from '../../node/daemon.ts';
import { type Outcome, type Started, godwitInShell, start, startGodwit } from './commands.ts';

export const posix = process.platform === 'win32' ? 'needs a POSIX shell' : false;

export interface Here {
  readonly directory: string;
  readonly socketPath: string;
  /** `godwit run OPTIONS... p.wasm` on a fake node, where p.wasm is `program`. */
  readonly run: (program: FakeProgram, options?: readonly string[], args?: readonly string[]) => Started;
  /** A shell command line in which `$RUN` stands for the same. */
  readonly shell: (program: FakeProgram, line: string) => Started;
  /** The same in a terminal of its own. */
  readonly inTerminal: (program: FakeProgram, line: string) => Started;
}

// util-linux's script(1) makes a terminal; that of other systems has other options.
const scripts = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
export const noScript = scripts ? false : 'needs script(1) of util-linux';

export const upNode = (id: number): NodeInfo => ({
  id,
  name: `node${id}`,
  address: '',
  arch: 'x64',
  os: 'linux',
  state: 'up',
  cpus: 2,
  load: 0,
  memory_total: 8e9,
  memory_free: 3e9,
  processes: 0,
});

export async function fakeNode(t: TestContext, nodes: readonly NodeInfo[] = [upNode(1), upNode(2)]): Promise<Here> {
  const { daemon, directory, socketPath } = await serveFake(t);
  daemon.nodeList = [...nodes];
  writeFileSync(path.join(directory, 'p.wasm'), 'any');
  const inShell = (line: string): string =>
    line.replaceAll('$RUN', `${godwitInShell()} run --socket ${socketPath} p.wasm`);
  return {
    directory,
    socketPath,
    inTerminal(program, line) {
      daemon.programs.set('p.wasm', program);
      // The terminal's Ctrl-C reaches its shell too, and a shell may end of that: dash does, bash does not.
      const env = { ...process.env, SHELL: '/bin/sh' };
      return start(t, 'script', ['-qefc', `trap : INT; ${inShell(line)}`, '/dev/null'], { cwd: directory, env });
    },
    run(program, options = [], args = []) {
      daemon.programs.set('p.wasm', program);
      return startGodwit(t, ['run', '--socket', socketPath, ...options, 'p.wasm', ...args], { cwd: directory });
    },
    shell(program, line) {
      daemon.programs.set('p.wasm', program);
      return start(t, '/bin/sh', ['-c', inShell(line)], { cwd: directory });
    },
  };
}

export const says =
  (...texts: string[]): FakeProgram =>
  async ({ io }) => {
    for (const text of texts) await writeAll(io.stdout, Buffer.from(text));
    return exited(0);
  };

export const expectOutcome = (outcome: Outcome, wanted: Partial<Outcome>): void => {
  assert.deepEqual({ stdout: '', stderr: '', signal: null, ...wanted }, outcome);
};
