import assert from 'node:assert/strict';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { CONTROL_VERSION, FrameReader, decodeToDaemon, encodeToClient } from '../../admin/protocol.ts';
import type { ToClient } from '../../admin/protocol.ts';
import type { FakeProgram } from '../../admin/testing/fake-daemon.ts';
import { FAKE_STATS, exited, signalled, writeAll } from '../../admin/testing/fake-daemon.ts';
import { temporaryDirectory } from '../../admin/testing/served.ts';
import type { Outcome } from '../testing/commands.ts';
import { startGodwit } from '../testing/commands.ts';
import { expectOutcome, fakeNode, posix, says, upNode } from '../testing/run.ts';

test('the exit status, the outputs and the arguments are those of the program', async (t) => {
  const { run, directory } = await fakeNode(t);
  const { outcome } = run(
    async ({ spec, io }) => {
      await writeAll(io.stdout, Buffer.from(JSON.stringify(spec)));
      await writeAll(io.stderr, Buffer.from('problem\n'));
      return exited(42);
    },
    ['--env', 'A=1', '--dir', '.::/data', '--hop', '20ms', '--pin', '--node', 'n2', '--listen', '127.0.0.1:0'],
    ['--pin', '--', '-h'],
  );
  const { status, stdout, stderr } = await outcome;
  assert.equal(status, 42);
  assert.match(stderr, /^godwit: the program is pinned, .*\nproblem\n$/);
  assert.deepEqual(JSON.parse(stdout), {
    program: path.join(directory, 'p.wasm'),
    args: ['p.wasm', '--pin', '--', '-h'],
    env: ['A=1'],
    cwd: directory,
    umask: process.umask(),
    dirs: [{ host: directory, guest: '/data' }],
    listen: ['127.0.0.1:0'],
    pin: true,
    detach: false,
    hopMicros: 20_000,
    node: 'n2',
  });
});

test('a program that cannot hop is told so once, and runs', async (t) => {
  const waiting: FakeProgram = async ({ io, signal }) => {
    await writeAll(io.stdout, Buffer.from('ready'));
    return signalled(await signal());
  };
  for (const [nodes, options, words] of [
    [[upNode(1), { ...upNode(2), state: 'down' }], ['--hop', '1s'], /^godwit: no other node is up, [^\n]*\n$/],
    [[upNode(1), upNode(2)], ['--hop', '1s', '--pin'], /^godwit: the program is pinned, [^\n]*\n$/],
    [[upNode(1), upNode(2)], ['--hop', '1s'], /^$/],
    [[upNode(1)], [], /^$/],
  ] as const) {
    const { run } = await fakeNode(t, nodes);
    const child = run(waiting, options);
    await child.said('ready');
    child.child.kill('SIGTERM');
    const { status, stderr } = await child.outcome;
    assert.equal(status, 143);
    assert.match(stderr, words);
    const detached = await run(() => Promise.resolve(exited(0)), ['--detach', ...options]).outcome;
    assert.equal(detached.status, 0);
    assert.match(detached.stderr, words);
  }
});

test('an end by a signal is 128 + its number; a message is told', async (t) => {
  const { run } = await fakeNode(t);
  expectOutcome(await run(() => Promise.resolve(signalled(15))).outcome, { status: 143 });
  const trap = await run(() => Promise.resolve({ how: 'signalled', signal: 6, message: 'trap: unreachable in f' }))
    .outcome;
  expectOutcome(trap, { status: 134, stderr: 'godwit: p.wasm: trap: unreachable in f\n' });
});

test('what cannot run: 126, 127, 125', async (t) => {
  const { socketPath, directory } = await fakeNode(t);
  const run = (...words: string[]): Promise<Outcome> =>
    startGodwit(t, ['run', '--socket', socketPath, ...words], { cwd: directory }).outcome;
  writeFileSync(path.join(directory, 'text.wasm'), 'hello');
  expectOutcome(await run('text.wasm'), {
    status: 126,
    stderr: 'godwit: cannot run text.wasm: not a WebAssembly module\n',
  });
  expectOutcome(await run('./gone.wasm'), {
    status: 127,
    stderr: `godwit: cannot run ./gone.wasm: there is no such file in ${realpathSync(directory)}; check the path\n`,
  });
  expectOutcome(await run('.'), {
    status: 126,
    stderr: 'godwit: cannot run .: it is a directory; give a file in it, such as p.wasm\n',
  });
  expectOutcome(await run('--dir', 'gone', 'text.wasm'), {
    status: 125,
    stderr: 'godwit: cannot give directory gone: there is no such directory; make it, or name another\n',
  });
  const other = startGodwit(t, ['run', '--socket', path.join(directory, 'none'), 'text.wasm'], { cwd: directory });
  const { status, stderr } = await other.outcome;
  assert.equal(status, 125);
  assert.match(stderr, /^godwit: no node answers on .*none; start one with "godwit up"[^\n]*\n$/);
});

test('arguments may be as long as the system lets them be, and not too many', async (t) => {
  const { run } = await fakeNode(t);
  const most = 'x'.repeat(131_071);
  const count: FakeProgram = ({ spec }) => Promise.resolve(exited(spec.args.at(-1)?.length === most.length ? 0 : 1));
  expectOutcome(await run(count, [], [most]).outcome, { status: 0 });
  expectOutcome(
    await run(
      count,
      [],
      Array.from({ length: 65_536 }, () => 'x'),
    ).outcome,
    {
      status: 125,
      stderr: 'godwit: run: 65537 arguments; at most 65536 can be given\n',
    },
  );
});

test('statistics are written at the end', async (t) => {
  const { run, directory } = await fakeNode(t);
  expectOutcome(await run(says('x'), ['--stats', 'stats.json']).outcome, { status: 0, stdout: 'x' });
  assert.deepEqual(JSON.parse(readFileSync(path.join(directory, 'stats.json'), 'utf8')), FAKE_STATS);
});

test('detached: the pid is printed and nobody waits', async (t) => {
  const { run } = await fakeNode(t);
  const outcome = await run(
    ({ spec }) => (spec.detach ? new Promise(() => {}) : Promise.resolve(exited(1))),
    ['--detach'],
  ).outcome;
  expectOutcome(outcome, { status: 0, stdout: '65537\n' });
});

test('signals go to the program', { skip: posix }, async (t) => {
  const { run } = await fakeNode(t);
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
    ['SIGQUIT', 3],
  ] as const) {
    const child = run(async ({ io, signal }) => {
      await writeAll(io.stdout, Buffer.from('ready'));
      return signalled(await signal());
    });
    await child.said('ready');
    process.kill(child.pid, name);
    assert.equal((await child.outcome).status, 128 + number);
  }
});

test('the death of the command is the hangup of its program', { skip: posix }, async (t) => {
  const { run } = await fakeNode(t);
  const hungUp = Promise.withResolvers<number>();
  const child = run(async ({ io, signal }) => {
    // Its answer may be lost with the command.
    io.stdout.write(Buffer.from('ready'), () => {});
    hungUp.resolve(await signal());
    return exited(0);
  });
  await child.said('ready');
  process.kill(child.pid, 'SIGKILL');
  assert.equal(await hungUp.promise, 1);
});

/** A node that starts a program and from then on answers nothing, as one that was stopped. */
async function silentNode(t: TestContext, socketPath: string): Promise<void> {
  const server = net.createServer((socket) => {
    const frames = new FrameReader();
    const send = (message: ToClient): void => void socket.write(encodeToClient(message));
    socket.on('error', () => {});
    socket.on('data', (part: Buffer) => {
      for (const payload of frames.push(part)) {
        const { kind } = decodeToDaemon(payload);
        if (kind === 'hello')
          send({ kind: 'welcome', version: CONTROL_VERSION, self: { id: 1, name: 'n', address: '' } });
        if (kind === 'run') {
          send({ kind: 'started', pid: 65_537 });
          send({ kind: 'write', id: 1, fd: 'stdout', bytes: Buffer.from('ready') });
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.after(() => server.close());
}

test('a second Ctrl-C ends the command while the node does not react', { skip: posix }, async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(path.join(directory, 'p.wasm'), 'any');
  const socketPath = path.join(directory, 'silent.sock');
  await silentNode(t, socketPath);
  const child = startGodwit(t, ['run', '--socket', socketPath, 'p.wasm'], { cwd: directory });
  await child.said('ready');
  // Signals of one kind melt together while they are pending: sent until two have arrived.
  const again = setInterval(() => child.child.kill('SIGINT'), 50);
  const { status } = await child.outcome;
  clearInterval(again);
  assert.equal(status, 130);
});
