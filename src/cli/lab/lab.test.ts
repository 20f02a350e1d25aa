import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectAdmin } from '../../admin/client.ts';
import { temporaryDirectory } from '../../admin/testing/served.ts';
import { start } from '../testing/commands.ts';
import { Lab } from './lab.ts';

const posix = process.platform === 'win32' ? 'named pipes are no files' : false;
const FAKE_NODE = fileURLToPath(new URL('../testing/fake-node.ts', import.meta.url));
const command = (args: readonly string[]): [string, string[]] => [process.execPath, [FAKE_NODE, ...args]];

async function startLab(t: TestContext, nodes: number, env: NodeJS.ProcessEnv = {}): Promise<Lab> {
  const lab = await Lab.start({ nodes, env: { ...process.env, ...env }, command });
  t.after(() => lab.stop());
  return lab;
}

/** While it runs, `directory` is the system's temporary one. */
async function withTemporary<T>(directory: string, use: () => Promise<T>): Promise<T> {
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = directory;
  try {
    return await use();
  } finally {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function answers(socketPath: string): Promise<boolean> {
  try {
    const client = await connectAdmin(socketPath);
    client.close();
    return true;
  } catch {
    return false;
  }
}

const unstartable = (): [string, string[]] => ['/no/such/node', []];

test('a lab is so many joined nodes, and nothing when it has stopped', async (t) => {
  const lab = await startLab(t, 3);
  assert.deepEqual(
    lab.nodes.map(({ name, ready }) => [name, ready.address]),
    [
      ['node1', '127.0.0.1:7370'],
      ['node2', 'joined 127.0.0.1:7370'],
      ['node3', 'joined 127.0.0.1:7370'],
    ],
  );
  const client = await connectAdmin(lab.socketPath);
  await client.ping();
  client.close();
  await lab.stop();
  assert.deepEqual(
    lab.nodes.map(({ pid }) => isAlive(pid)),
    [false, false, false],
  );
  assert.equal(existsSync(lab.directory), false);
});

test('a node that does not start takes the others with it and says why', async () => {
  const env = { ...process.env, FAKE_NODE_FAILS: 'node2' };
  await assert.rejects(Lab.start({ nodes: 3, env, command }), { message: 'node2 did not start: the port is taken' });
});

test('a node that cannot be started at all', async () => {
  await assert.rejects(Lab.start({ nodes: 1, env: {}, command: unstartable }), {
    message: /node1 did not start: .*ENOENT/,
  });
});

test('an interrupted start leaves nothing', async () => {
  const interrupted = new AbortController();
  const starting = Lab.start({ nodes: 3, env: process.env, command }, interrupted.signal);
  setImmediate(() => interrupted.abort());
  await assert.rejects(starting, { code: 'internal' });
});

test('the end of a node that nobody ended is told', async (t) => {
  const lost = Promise.withResolvers<string>();
  const options = {
    nodes: 2,
    env: process.env,
    command,
    lost: (name: string, how: string) => lost.resolve(`${name} ${how}`),
  };
  const lab = await Lab.start(options);
  t.after(() => lab.stop());
  process.kill(lab.nodes[1]!.pid, 'SIGKILL');
  assert.equal(await lost.promise, 'node2 ended by SIGKILL');
});

test('a node that is stopped ends in order with the others', { skip: posix }, async (t) => {
  const lost: string[] = [];
  const options = { nodes: 2, env: process.env, command };
  const lab = await Lab.start({ ...options, lost: (name, how) => lost.push(`${name} ${how}`) });
  t.after(() => lab.stop());
  process.kill(lab.nodes[1]!.pid, 'SIGSTOP');
  await lab.stop();
  assert.deepEqual([lab.nodes.map(({ pid }) => isAlive(pid)), lost], [[false, false], []]);
});

test('nodes that were killed because their end took too long are not told as lost', async (t) => {
  const lost: string[] = [];
  const env = { ...process.env, FAKE_NODE_HANGS: 'node1' };
  const lab = await Lab.start({ nodes: 1, env, command, lost: (name, how) => lost.push(`${name} ${how}`) });
  t.after(() => lab.stop());
  const stopped = lab.stop();
  lab.kill();
  await stopped;
  assert.deepEqual([isAlive(lab.nodes[0]!.pid), lost], [false, []]);
});

test('a lab that is killed ends with its nodes, and the next one removes what it left', { skip: posix }, async (t) => {
  const script = `
    const { Lab } = await import(${JSON.stringify(new URL('lab.ts', import.meta.url).href)});
    const command = (args) => [process.execPath, [${JSON.stringify(FAKE_NODE)}, ...args]];
    const lab = await Lab.start({ nodes: 2, env: process.env, command });
    console.log(JSON.stringify([lab.directory, ...lab.nodes.map(({ ready }) => ready.socket)]));
    setInterval(() => {}, 1000);`;
  const owner = start(t, process.execPath, ['--input-type=module', '-e', script]);
  const line = await owner.said('\n');
  const [directory = '', ...sockets] = JSON.parse(line) as string[];
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const meanwhile = await startLab(t, 1);
  assert.equal(existsSync(directory), true, 'a lab that lives keeps its directory');
  process.kill(owner.pid, 'SIGKILL');
  await owner.outcome;
  for (const socket of sockets) while (await answers(socket)) await new Promise((resolve) => setTimeout(resolve, 5));
  const next = await startLab(t, 1);
  assert.deepEqual(
    [directory, meanwhile.directory, next.directory].map((each) => existsSync(each)),
    [false, true, true],
  );
});

test('a directory that only looks like that of a dead lab is left alone', { skip: posix }, async (t) => {
  const above = temporaryDirectory(t);
  const other = path.join(above, 'godwit-lab-other');
  mkdirSync(other);
  writeFileSync(path.join(other, 'mine'), '');
  symlinkSync(other, path.join(above, 'godwit-lab-link'));
  await withTemporary(above, async () => (await startLab(t, 1)).stop());
  assert.deepEqual(readdirSync(above).sort(), ['godwit-lab-link', 'godwit-lab-other']);
  assert.deepEqual(readdirSync(other), ['mine']);
});

test('a node that has no room for its last words does not start on a full disk', { skip: posix }, async (t) => {
  const above = temporaryDirectory(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', above]).status !== 0) {
    t.skip('needs the right to mount');
    return;
  }
  try {
    assert.throws(() => writeFileSync(path.join(above, 'fill'), new Uint8Array(1 << 20)), { code: 'ENOSPC' });
    const env = { ...process.env, FAKE_NODE_FAILS: 'node1' };
    const starting = withTemporary(above, () => Lab.start({ nodes: 1, env, command }));
    await assert.rejects(starting, {
      message: /^node1 did not start: the disk of [^:]* is full; set TMPDIR to another directory$/,
    });
    assert.deepEqual(readdirSync(above), ['fill']);
  } finally {
    spawnSync('umount', [above]);
  }
});
