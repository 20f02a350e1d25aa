/** What the standard streams of `godwit run` are to the program: those of the command. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ERRNO } from '../../abi/errno.ts';
import type { FakeProgram } from '../../admin/testing/fake-daemon.ts';
import { exited, readOnce, signalled, writeAll } from '../../admin/testing/fake-daemon.ts';
import { expectOutcome, fakeNode, noScript, posix } from '../testing/run.ts';

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

/** What is there at each look, in turn; a look may not wait. */
const looks =
  (count: number): FakeProgram =>
  async ({ io: { stdin, stdout } }) => {
    for (let i = 0; i < count; i++) {
      const seen = await new Promise<string>((resolve) => {
        stdin.read(5, (result) =>
          resolve('value' in result ? Buffer.from(result.value).toString() : `errno ${result.errno}`),
        );
        stdin.hurry();
      });
      await writeAll(stdout, Buffer.from(`${seen}|`));
    }
    return exited(0);
  };

test('a look at a pipe that may not wait finds what is in it, nothing, or its end', { skip: posix }, async (t) => {
  const { shell } = await fakeNode(t);
  // Whoever has opened a FIFO in both directions holds what is in it, and keeps it from ending.
  const open = await shell(looks(3), 'mkfifo p; exec 3<>p; printf helloX >&3; $RUN <&3; printf next >&3; head -c4 <&3')
    .outcome;
  expectOutcome(open, { status: 0, stdout: `hello|X|errno ${ERRNO.again}|next` });
  const ended = await shell(looks(3), 'exec 3<>p; exec 4<p; printf hello >&3; exec 3>&-; $RUN <&4').outcome;
  expectOutcome(ended, { status: 0, stdout: 'hello|||' });
});

test('a look at a terminal that may not wait finds the line, or nothing', { skip: noScript }, async (t) => {
  const { inTerminal } = await fakeNode(t);
  const typed = Promise.withResolvers<void>();
  const child = inTerminal(async (process) => {
    await looks(1)(process);
    await typed.promise;
    return looks(2)(process);
  }, '$RUN');
  await child.said(`errno ${ERRNO.again}|`);
  child.child.stdin!.write('line\n');
  // Its echo: the terminal has it.
  await child.said('line\r\n');
  typed.resolve();
  const { stdout } = await child.outcome;
  assert.equal(stdout.replaceAll('\r\n', '\n'), `errno ${ERRNO.again}|line\nline\n|errno ${ERRNO.again}|`);
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
