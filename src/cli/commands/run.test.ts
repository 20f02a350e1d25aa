import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { CONTROL_VERSION, FrameReader, type ToClient, decodeToDaemon, encodeToClient } from '../../admin/protocol.ts';
import {
  FAKE_STATS,
  type FakeProgram,
  exited,
  readOnce,
  signalled,
  writeAll,
} from '../../admin/testing/fake-daemon.ts';
import type { NodeInfo } from '../../node/daemon.ts';
import { serveFake, temporaryDirectory } from '../../admin/testing/served.ts';
import { type Outcome, type Started, godwitInShell, start, startGodwit } from '../testing/commands.ts';

const posix = process.platform === 'win32' ? 'needs a POSIX shell' : false;

interface Here {
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
const noScript = scripts ? false : 'needs script(1) of util-linux';

const upNode = (id: number): NodeInfo => ({
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

async function fakeNode(t: TestContext, nodes: readonly NodeInfo[] = [upNode(1), upNode(2)]): Promise<Here> {
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

const says =
  (...texts: string[]): FakeProgram =>
  async ({ io }) => {
    for (const text of texts) await writeAll(io.stdout, Buffer.from(text));
    return exited(0);
  };

const expectOutcome = (outcome: Outcome, wanted: Partial<Outcome>): void => {
  assert.deepEqual({ stdout: '', stderr: '', signal: null, ...wanted }, outcome);
};

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

const tellKinds: FakeProgram = async ({ io: { stdin, stdout, stderr, terminal } }) => {
  const kinds = [stdin, stdout, stderr].map(({ kind, flags, readable, writable }) => [kind, flags, readable, writable]);
  await writeAll(stderr, Buffer.from(JSON.stringify([...kinds, terminal])));
  return exited(0);
};

test('kinds of the standard streams', { skip: posix }, async (t) => {
  const { shell, directory } = await fakeNode(t);
  const linux = process.platform === 'linux';
  const { stderr } = await shell(tellKinds, 'echo x | $RUN >/dev/null 2>kinds; cat kinds >&2').outcome;
  assert.deepEqual(JSON.parse(stderr), [
    ['pipe', 0, true, false],
    ['null', 0, true, true],
    ['file', 0, false, true],
    null,
  ]);
  const appended = await shell(tellKinds, '$RUN <p.wasm >>log 2>kinds; cat kinds >&2').outcome;
  const kinds = JSON.parse(appended.stderr) as unknown[][];
  assert.deepEqual(kinds[0], ['file', 0, true, false]);
  if (linux) assert.deepEqual(kinds[1], ['file', 1, false, true]);
  // A child of Node has a socket for its input, not a pipe.
  const bySpawn = await shell(tellKinds, '$RUN').outcome;
  assert.deepEqual((JSON.parse(bySpawn.stderr) as unknown[][])[0]![0], linux ? 'socket' : 'pipe');
  assert.ok(directory);
});

const readsFive: FakeProgram = async ({ io: { stdin, stdout } }) => {
  for (const size of [3, 1, 1]) await writeAll(stdout, await readOnce(stdin, size));
  return exited(0);
};

test('input that the program does not read is left to the next', { skip: posix }, async (t) => {
  const { shell } = await fakeNode(t);
  const fromPipe = await shell(readsFive, "printf 'abcdefgh' | ($RUN; printf '|'; cat)").outcome;
  expectOutcome(fromPipe, { status: 0, stdout: 'abcde|fgh' });
  const fromFile = await shell(readsFive, "printf 'abcdefgh' >in; ($RUN; printf '|'; cat) <in").outcome;
  expectOutcome(fromFile, { status: 0, stdout: 'abcde|fgh' });
  const child = shell(readsFive, "$RUN; printf '|'; cat");
  child.child.stdin!.end('abcdefgh');
  expectOutcome(await child.outcome, { status: 0, stdout: 'abcde|fgh' });
});

const endsWhileReading: FakeProgram = async ({ io }) => {
  io.stdin.read(100, () => {});
  await writeAll(io.stdout, Buffer.from('done|'));
  return exited(7);
};

test('a read that is under way at the end takes nothing', { skip: posix }, async (t) => {
  const { shell } = await fakeNode(t);
  const child = shell(endsWhileReading, '$RUN; printf "$?|"; cat');
  // The end is known when the shell has gone on.
  await child.said('done|7|');
  child.child.stdin!.end('for cat');
  expectOutcome(await child.outcome, { status: 0, stdout: 'done|7|for cat' });
});

test('the end of the input is the end', async (t) => {
  const { run } = await fakeNode(t);
  const child = run(async ({ io: { stdin, stdout } }) => {
    for (let bytes = await readOnce(stdin, 9); bytes.length > 0; bytes = await readOnce(stdin, 9)) {
      await writeAll(stdout, bytes);
    }
    return exited((await readOnce(stdin, 1)).length);
  });
  child.child.stdin!.end('some words of input');
  expectOutcome(await child.outcome, { status: 0, stdout: 'some words of input' });
});

const yes: FakeProgram = async ({ io: { stdout }, signal }) => {
  const line = Buffer.from('y\n'.repeat(5000));
  try {
    for (;;) await writeAll(stdout, line);
  } catch {
    return signalled(await signal());
  }
};

test('a reader that goes away ends the program as SIGPIPE does', { skip: posix }, async (t) => {
  const { shell } = await fakeNode(t);
  expectOutcome(await shell(yes, '{ $RUN; echo $? >&2; } | head -1').outcome, {
    status: 0,
    stdout: 'y\n',
    stderr: '141\n',
  });
});

const big: FakeProgram = async ({ io: { stdout } }) => {
  for (let i = 0; i < 40; i++) await writeAll(stdout, Buffer.alloc(65_536, 65 + (i % 26)));
  return exited(0);
};

test('a slow reader gets everything', { skip: posix }, async (t) => {
  const { shell } = await fakeNode(t);
  const { stdout } = await shell(big, '$RUN | (dd bs=1000 count=3 2>/dev/null; sleep 0.1; cat) | cksum; echo ok')
    .outcome;
  const whole = Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.alloc(65_536, 65 + (i % 26))));
  assert.match(stdout, new RegExp(`^\\d+ ${whole.length}\\nok\\n$`));
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

const seeks: FakeProgram = async ({ io: { stdin, stdout } }) => {
  const seek = (offset: bigint, whence: number): Promise<string> =>
    new Promise((resolve) =>
      stdin.seek(offset, whence, (result) =>
        resolve('value' in result ? String(result.value) : `errno ${result.errno}`),
      ),
    );
  const told = [
    await seek(0n, 1),
    Buffer.from(await readOnce(stdin, 2)).toString(),
    await seek(0n, 1),
    await seek(-2n, 2),
    Buffer.from(await readOnce(stdin, 9)).toString(),
    await seek(-1n, 0),
  ];
  await writeAll(stdout, Buffer.from(told.join(' ')));
  return exited(0);
};

test('a regular file is read, written and asked at its position', { skip: process.platform !== 'linux' }, async (t) => {
  const { shell, directory } = await fakeNode(t);
  writeFileSync(path.join(directory, 'in'), '0123456789');
  const { stdout } = await shell(seeks, '(head -c 0; read -r _ </dev/null; $RUN) <in').outcome;
  assert.equal(stdout, '0 01 2 8 89 errno 28');
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

test('a terminal is a terminal, its size is known, and Ctrl-C works', { skip: noScript }, async (t) => {
  const { inTerminal } = await fakeNode(t);
  const told = Promise.withResolvers<unknown>();
  const child = inTerminal(async ({ io: { stdin, stdout, stderr, terminal }, signal }) => {
    await writeAll(stdout, Buffer.from('name? '));
    const name = Buffer.from(await readOnce(stdin, 100)).toString();
    await writeAll(stdout, Buffer.from('end? '));
    const ended = await readOnce(stdin, 100);
    await writeAll(stdout, Buffer.from('more? '));
    const more = Buffer.from(await readOnce(stdin, 100)).toString();
    told.resolve([stdin.kind, stdout.kind, stderr.kind, terminal, name, ended.length, more]);
    await writeAll(stdout, Buffer.from('again? '));
    return signalled(await signal());
  }, 'stty cols 91 rows 17; $RUN; echo status $?; stty -a | grep -c -- "-icanon"; head -c 4');
  const { stdin } = child.child;
  await child.said('name? ');
  stdin!.write('Ada\n');
  await child.said('end? ');
  stdin!.write('\u0004');
  await child.said('more? ');
  stdin!.write('Lovelace\n');
  await child.said('again? ');
  stdin!.write('\u0003');
  await child.said('status 130');
  stdin!.write('next\n');
  const { stdout: all } = await child.outcome;
  assert.deepEqual(await told.promise, [
    'terminal',
    'terminal',
    'terminal',
    { columns: 91, rows: 17 },
    'Ada\n',
    0,
    'Lovelace\n',
  ]);
  // Line editing is on again, and the next program gets its input.
  assert.match(all, /status 130\r\n(next\r\n)?0\r\n(next\r\n)?next/);
});
