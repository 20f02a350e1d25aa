/** `godwit run` as a user meets it: streams, files, signals, terminals, exit status, options. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import type { FixtureName } from '../support/fixtures.ts';
import { eventually, isAlive, Lab, type Running } from '../support/lab.ts';

let lab: Lab;
const programs = {} as Record<FixtureName, string>;
before(async () => {
  for (const name of [
    'hello',
    'echo',
    'ends',
    'waits',
    'looks',
    'ray',
    'wasi/stdio',
    'wasi/sockets',
    'awk',
    'sort',
  ] as const) {
    programs[name] = (await fixture(name)).path;
  }
  lab = await Lab.start({ nodes: 2 });
});
after(() => lab.stop());

let word = '';
let serial = 0;
beforeEach(() => {
  word = `run-${++serial}`;
});

/** Both ways to run a program: through a daemon, and inside the command. */
const PLACES = [
  ['through a daemon', 'node1'],
  ['inside the command', null],
] as const;

for (const [place, node] of PLACES) {
  describe(place, () => {
    test('what descriptors 0, 1 and 2 are', async () => {
      const out = path.join(lab.directory, `out-${node}`);
      const stdio = `$GODWIT run ${programs['wasi/stdio']}`;
      const script = `
        echo 'moved!' | tr -d '\\n' >${out}
        echo x | ${stdio} pipe pipe pipe 2>&1 | cat
        ${stdio} file file pipe <${out} >${out}.1 || echo failed: $?; cat ${out}.1
        ${stdio} null pipe pipe </dev/null 2>&1 | cat`;
      const { stdout, stderr } = await lab.shell(script, { node });
      assert.deepEqual({ stdout, stderr }, { stdout: 'ok\nok\nok\n', stderr: '' });
    });

    test('a program that does not wait for its input finds what is there, nothing, or the end', async () => {
      const fifo = path.join(lab.directory, `fifo-${node}`);
      const looks = (options: string): string => `$GODWIT run ${options} ${programs.looks}`;
      // A FIFO that is open in both directions holds what is in it, and does not end.
      const script = (options: string): string => `
        mkfifo ${fifo}; exec 3<>${fifo} 4<${fifo}; rm ${fifo}
        printf helloX >&3; ${looks(options)} <&3
        printf helloY >&3; exec 3>&-; ${looks(options)} <&4`;
      const wanted = ['X', 'Y'].map((last) => {
        const over = last === 'Y';
        return `in 1, out 1\nhello\n${last}\n${over ? 'end' : 'nothing'}\nin ${over ? 1 : 0}, out 1\n`;
      });
      for (const options of node === null ? [''] : ['', '--node node2', '--hop 5ms']) {
        const { stdout, stderr } = await lab.shell(script(options), { node });
        assert.deepEqual({ stdout, stderr }, { stdout: wanted.join(''), stderr: '' }, options);
      }
    });

    test('files have the umask of the command', async () => {
      const directory = path.join(lab.directory, `umask-${node}`);
      await mkdir(directory);
      // Of two commands, so that neither can be the daemon's own.
      for (const [umask, mode] of [
        ['077', '600'],
        ['002', '664'],
      ] as const) {
        const { stderr } = await lab.shell(`umask ${umask}; $GODWIT run ${programs.ray} 4 ${umask}`, {
          node,
          cwd: directory,
        });
        assert.equal(stderr, '');
        const { mode: found } = await stat(path.join(directory, umask));
        assert.equal((found & 0o777).toString(8), mode);
      }
    });

    test('> makes a file anew and >> goes on at its end', async () => {
      const out = path.join(lab.directory, `redirected-${node}`);
      const hello = `$GODWIT run ${programs.hello}`;
      const { stderr } = await lab.shell(`echo old >${out}; ${hello} 1 >${out}; ${hello} 2 >>${out}`, { node });
      assert.equal(stderr, '');
      assert.equal(await readFile(out, 'utf8'), 'hello, 1\nhello, 2\n');
    });

    // Node itself opens it in the place of descriptors 0, 1 and 2 that are closed when it starts.
    test('closed standard streams are /dev/null', async () => {
      const waits = `$GODWIT run ${programs.waits} 0`;
      const hello = `$GODWIT run ${programs.hello}`;
      const { stdout, stderr } = await lab.shell(`${waits} <&-; echo $?; ${hello} >&-; echo $?`, { node });
      assert.match(stdout, /^ready\n0 lines\nwaits checksum \w+\n0\n0\n$/);
      assert.equal(stderr, '');
    });

    test('what a program changes in a file that is its stream, all who share it see', async () => {
      const out = path.join(lab.directory, `shared-${node}`);
      const stdio = `$GODWIT run ${programs['wasi/stdio']} null file pipe </dev/null`;
      const hello = `$GODWIT run ${programs.hello}`;
      const { stderr } = await lab.shell(`(${hello} 1; ${stdio}; ${hello} 2) >${out}`, { node });
      assert.equal(stderr, '');
      // Emptied by the second one, while the position stays behind what the first has written.
      assert.equal(await readFile(out, 'utf8'), '\0'.repeat('hello, 1\n'.length) + 'ok\nhello, 2\n');
    });

    test('input that is not taken is left to the next program', async () => {
      const file = path.join(lab.directory, `input-${node}`);
      await writeFile(file, 'for cat\n');
      const hello = `$GODWIT run ${programs.hello}`;
      const piped = await lab.shell(`(${hello} a; cat)`, { node, input: 'for cat\n' });
      assert.equal(piped.stdout, 'hello, a\nfor cat\n');
      const fromFile = await lab.shell(`(${hello} a; cat) <${file}`, { node });
      assert.equal(fromFile.stdout, 'hello, a\nfor cat\n');
    });

    test('a reader that goes away ends it as SIGPIPE would', async () => {
      const many = `$GODWIT run ${programs.awk} 20000000 1`;
      const { stdout, stderr } = await lab.shell(`(${many}; echo $? >&2) | head -1`, { node });
      assert.match(stdout, /^2000000 of 20000000 rows, 2000000 steps\n$/);
      assert.match(stderr, /^141\n$/);
    });

    test('a trap is status 134 and is explained', async () => {
      const { stdout, stderr, status } = await lab.run(['run', programs.ends, 'unreachable'], { node });
      assert.deepEqual([stdout, status], ['unreachable\n', 134]);
      assert.match(
        stderr,
        /^godwit: .*ends\.wasm: unreachable\n {4}at trap_unreachable \(offset 0x[0-9a-f]+\)\n {4}at middle /,
      );
    });

    test('arguments and --env, as bytes', async () => {
      const options = ['--env', 'A=ä€🐦', '--env', 'HANDED_ON', '--env', 'EMPTY='];
      const running = lab.spawn(['run', ...options, programs.echo, '--pin', '', 'ü'], {
        node,
        env: { HANDED_ON: 'yes' },
      });
      running.endInput();
      const { stdout, status } = await running.result();
      const lines = [
        'argument 1: 5 bytes 2d 2d 70 69 6e --pin',
        'argument 2: 0 bytes ',
        'argument 3: 2 bytes c3 bc ü',
        'variable 0: 11 bytes 41 3d c3 a4 e2 82 ac f0 9f 90 a6 A=ä€🐦',
        'variable 1: 13 bytes 48 41 4e 44 45 44 5f 4f 4e 3d 79 65 73 HANDED_ON=yes',
        'variable 2: 6 bytes 45 4d 50 54 59 3d EMPTY=',
      ];
      assert.equal(stdout.trimEnd(), lines.join('\n'));
      assert.equal(status, 0);
    });

    test('--dir and --cwd', async () => {
      const directory = path.join(lab.directory, `dir-${node}`);
      await mkdir(path.join(directory, 'inner'), { recursive: true });
      const given = await lab.run(['run', '--dir', `${directory}::/data`, programs.ray, '4', '/data/a.ppm'], { node });
      assert.deepEqual([given.stderr, given.status], ['', 0]);
      const relative = await lab.run(['run', '--cwd', directory, '--dir', 'inner', programs.ray, '4', 'inner/b.ppm'], {
        node,
      });
      assert.deepEqual([relative.stderr, relative.status], ['', 0]);
      const cwd = await lab.run(['run', '--cwd', directory, programs.ray, '4', 'c.ppm'], { node });
      assert.deepEqual([cwd.stderr, cwd.status], ['', 0]);
      const images = await Promise.all(
        ['a.ppm', 'inner/b.ppm', 'c.ppm'].map((name) => readFile(path.join(directory, name))),
      );
      assert(images.every((image) => image.length > 0 && image.equals(images[0] ?? assert.fail())));
      const outside = await lab.run(['run', '--dir', directory, programs.ray, '4', '../x.ppm'], { node });
      assert.notEqual(outside.status, 0);
    });

    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      test(`${signal} to the command reaches the program`, async () => {
        const running = lab.spawn(['run', programs.waits, '1', word], { node });
        await running.output(/ready/);
        running.signal(signal);
        const { stderr, status: found } = await running.result();
        assert.deepEqual([found, stderr], [status, '']);
      });
    }
  });
}

async function startWaiting(): Promise<{ readonly running: Running; readonly pid: number }> {
  const running = lab.spawn(['run', programs.waits, '1', word]);
  await running.output(/ready/);
  return { running, pid: (await lab.process(word)).pid };
}

const gone = (pid: number): Promise<true> =>
  eventually(`the end of process ${pid}`, async () => {
    return (await lab.ps()).every((process) => process.pid !== pid) ? true : null;
  });

describe('with a daemon', () => {
  test('kill -KILL is status 137', async () => {
    const { running, pid } = await startWaiting();
    assert.equal((await lab.run(['kill', '-0', String(pid)])).status, 0);
    const { stderr, status } = await lab.run(['kill', '-KILL', String(pid)]);
    assert.deepEqual([stderr, status], ['', 0]);
    assert.equal((await running.result()).status, 137);
    await gone(pid);
  });

  test('a stopped process goes on where it was', async () => {
    const { running, pid } = await startWaiting();
    assert.equal((await lab.run(['kill', '-STOP', String(pid)])).status, 0);
    await eventually('its stop', async () =>
      (await lab.ps()).find((one) => one.pid === pid)?.state === 'stopped' ? true : null,
    );
    running.endInput('one\n');
    assert.equal((await lab.run(['kill', '-CONT', String(pid)])).status, 0);
    const { stdout, status } = await running.result();
    assert.match(stdout, /^ready\n1: one /);
    assert.equal(status, 0);
  });

  test('a killed command takes its process with it, at home and away', async () => {
    for (const target of ['home', 'node2']) {
      word += target;
      const { running, pid } = await startWaiting();
      await lab.migrate(pid, target);
      running.signal('SIGKILL');
      await gone(pid);
    }
  });

  test('--detach, wait and logs', async () => {
    const { stdout, status } = await lab.run(['run', '--detach', programs.ends, 'exit', '42']);
    assert.match(stdout, /^\d+\n$/);
    assert.equal(status, 0);
    const waited = await lab.run(['wait', stdout.trim()], { node: 'node2' });
    assert.deepEqual([waited.stderr, waited.status], ['', 42]);
    const logs = await lab.run(['logs', stdout.trim()]);
    assert.match(logs.stdout, /exit/);
    assert.equal(logs.status, 0);
  });

  test('--listen passes a socket in', async () => {
    const probe = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as net.AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const running = lab.spawn(['run', '--listen', `127.0.0.1:${port}`, programs['wasi/sockets'], 'listen', word]);
    running.endInput();
    await running.output(/listening/);
    await lab.migrate((await lab.process(word)).pid, 'node2');
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write('hello\n');
    assert.equal(await text(socket), 'answer\n');
    socket.end();
    const { stdout, stderr, status } = await running.result();
    assert.deepEqual([stdout, stderr, status], ['listening\nok\n', '', 0]);
  });

  test('on a terminal: its kind, and Ctrl-C', { skip: process.platform !== 'linux' && 'needs script(1)' }, async () => {
    const args = ['-qefc', `$GODWIT run ${programs['wasi/stdio']} terminal terminal terminal`, '/dev/null'];
    const env = { GODWIT: `${process.execPath} bin/godwit`, SHELL: '/bin/sh' };
    const cwd = path.join(import.meta.dirname, '../..');
    const kinds = lab.command('script', args, { env, cwd });
    assert.match((await kinds.result()).stdout, /^ok\r?\n$/);
    const sized = `stty cols 91 rows 17; $GODWIT run --env LINES=5 ${programs.echo}`;
    const size = lab.command('script', ['-qefc', sized, '/dev/null'], { env, cwd });
    assert.match((await size.result()).stdout, /variable 0:.* LINES=5\r?\nvariable 1:.* COLUMNS=91\r?\n$/);
    const command = `$GODWIT run ${programs.waits} 1 ${word}`;
    const waits = lab.command('script', ['-qefc', command, '/dev/null'], { env, cwd });
    await waits.output(/ready/);
    waits.write('\x03');
    assert.equal((await waits.result()).status, 130);
  });
});

test('ps and nodes', async () => {
  const running = lab.spawn(['run', programs.waits, '1', word]);
  const { pid } = await lab.process(word);
  const ps = await lab.run(['ps', '--json']);
  const found = (JSON.parse(ps.stdout) as { pid: number; command: string[] }[]).find((one) => one.pid === pid);
  const fields = ['pid', 'ppid', 'home', 'node', 'state', 'threads', 'memory', 'cpu_ms', 'moves', 'stay', 'command'];
  assert.deepEqual(Object.keys(found ?? {}), fields);
  assert.match((await lab.run(['ps'])).stdout, new RegExp(`${pid}.*waits.*${word}`));
  const nodes = JSON.parse((await lab.run(['nodes', '--json'])).stdout) as object[];
  assert.equal(nodes.length, 2);
  const node = 'id, name, address, arch, os, state, cpus, load, memory_total, memory_free, processes'.split(', ');
  assert.deepEqual(Object.keys(nodes[0] ?? {}), node);
  running.endInput();
  assert.equal((await running.result()).status, 0);
});

test('godwit lab -- COMMAND gives a cluster and takes it away again', async () => {
  const script = '$GODWIT nodes --json; $GODWIT run hello.wasm lab; exit 5';
  const cwd = path.join(lab.directory, 'lab');
  await mkdir(cwd);
  await writeFile(path.join(cwd, 'hello.wasm'), await readFile(programs.hello));
  const env = { GODWIT: `${process.execPath} ${path.join(import.meta.dirname, '../../bin/godwit')}` };
  const { stdout, stderr, status } = await lab.run(['lab', '-n', '2', '--', '/bin/sh', '-c', script], {
    node: null,
    cwd,
    env,
  });
  assert.equal(stderr, '');
  assert.equal(status, 5);
  const [nodes, hello] = stdout.trim().split(/\n(?=hello)/);
  assert.equal(hello, 'hello, lab');
  assert.deepEqual((JSON.parse(nodes ?? '') as { name: string }[]).map(({ name }) => name).sort(), ['node1', 'node2']);
});

test('godwit down ends a node', async () => {
  const node = await lab.up('node3');
  const { stderr, status } = await lab.run(['down'], { node: 'node3' });
  assert.deepEqual([stderr, status], ['', 0]);
  assert.equal((await node.running.result()).status, 0);
  assert(!isAlive(node.running.pid));
});

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});
