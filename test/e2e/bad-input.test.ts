/** What wrong input gets: one clear line on stderr, the right exit status, nothing left running and nothing lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { eventually, isAlive, Lab, type Result, within } from '../support/lab.ts';
import { checkRefused } from '../support/refused.ts';

let lab: Lab;
let hello: Uint8Array;
before(async () => {
  lab = await Lab.start({ nodes: 2 });
  hello = (await fixture('hello')).bytes;
});
after(() => lab.stop());

async function fileWith(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(lab.directory, name);
  await writeFile(file, bytes);
  return file;
}

async function checkRun(file: string, status: number, words: RegExp, options: readonly string[] = []): Promise<void> {
  for (const node of ['node1', null]) checkRefused(await lab.run(['run', ...options, file], { node }), status, words);
}

const MAGIC = [0, 0x61, 0x73, 0x6d];
const text = (s: string): number[] => [s.length, ...Buffer.from(s)];

describe('a program that cannot run', () => {
  test('no such file', async () => {
    await fileWith('hello.wasm', hello);
    await checkRun('hallo.wasm', 127, /hallo\.wasm: there is no such file; did you mean hello\.wasm\?/);
    await checkRun('something-else', 127, /something-else: there is no such file in .*; check the path/);
    await checkRun('nowhere/hello.wasm', 127, /hello\.wasm: there is no directory nowhere; check the path/);
    await checkRun('', 127, /"": that is no name; give the path of a \.wasm file/);
  });
  test('a directory', async () => {
    const directory = path.join(lab.directory, 'programs');
    await mkdir(directory);
    await checkRun(directory, 126, /it is a directory; give the path of a \.wasm file/);
    await writeFile(path.join(directory, 'one.wasm'), hello);
    await checkRun(directory, 126, /it is a directory; give a file in it, such as .*one\.wasm/);
  });
  test('not a module', async () =>
    checkRun(
      await fileWith('text.wasm', Buffer.from('#!/bin/sh\n')),
      126,
      /text\.wasm: it is a script: give the \.wasm/,
    ));
  test('an empty file', async () =>
    checkRun(await fileWith('empty.wasm', Buffer.of()), 126, /empty\.wasm: it is empty: build or copy it again/));
  test('a truncated module', async () => {
    const file = await fileWith('half.wasm', hello.subarray(0, hello.length / 2));
    await checkRun(file, 126, /half\.wasm: .* where \d+ are left: .*: build or copy it again/);
    await checkRun(await fileWith('five.wasm', hello.subarray(0, 5)), 126, /five\.wasm: it ends after 5 bytes.*again/);
  });
  test('a component', async () => {
    const bytes = Uint8Array.of(...MAGIC, 0x0d, 0, 1, 0);
    await checkRun(await fileWith('component.wasm', bytes), 126, /component.*: build it for wasm32-wasip1, or extract/);
  });
  test('a section that claims 4 GB', async () => {
    const bytes = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 10, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3);
    const words = /claims\.wasm: .* claims 4294967295 bytes where 3 are left.*build or copy it again/;
    await checkRun(await fileWith('claims.wasm', bytes), 126, words);
  });
  test('a feature that is not taken', async () => {
    const bytes = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 5, 4, 1, 8, 1, 0);
    await checkRun(
      await fileWith('pages.wasm', bytes),
      126,
      /pages\.wasm: .* uses custom page sizes.*; build it without that/,
    );
  });
  test('a file of 4 GB', async () => {
    const file = await fileWith('huge.wasm', hello);
    await truncate(file, 2 ** 32);
    await checkRun(file, 126, /huge\.wasm: it has 4294967296 bytes, .* may have \d+; build it without debug/);
  });
  test('unknown imports, each by name', async () => {
    const imports = [...text('env'), ...text('alpha'), 0, 0, ...text('env'), ...text('beta'), 0, 0];
    const bytes = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, imports.length + 1, 2, ...imports);
    const file = await fileWith('imports.wasm', bytes);
    await checkRun(file, 126, /imports\.wasm: .*env\.alpha, env\.beta; build it for wasi_snapshot_preview1/);
  });
  test('a _start that wants arguments', async () => {
    // (module (func (export "_start") (param i32)))
    const sections = '0105 0160017f00 03020100 070a01 06 5f7374617274 0000 0a040102000b'.replaceAll(' ', '');
    const bytes = Buffer.concat([Uint8Array.of(...MAGIC, 1, 0, 0, 0), Buffer.from(sections, 'hex')]);
    const file = await fileWith('arguments.wasm', bytes);
    await checkRun(file, 126, /arguments\.wasm: its _start has parameters or results.*; build it with a main function/);
  });

  test('a library without a start', async () => {
    const file = await fileWith('library.wasm', Uint8Array.of(...MAGIC, 1, 0, 0, 0));
    await checkRun(file, 126, /library\.wasm: it exports no function _start.*; build it as a program/);
  });
  // Root may read everything, but for the time of a command it can give that up.
  const giveUp = process.getuid?.() === 0 ? 'setpriv --bounding-set -dac_override,-dac_read_search' : '';
  const skip = giveUp !== '' && spawnSync('/bin/sh', ['-c', `${giveUp} true`]).status !== 0 && 'root needs setpriv(1)';
  test('no permission', { skip }, async () => {
    const file = await fileWith('secret.wasm', hello);
    await chmod(file, 0);
    const refused = await lab.shell(`${giveUp} $GODWIT run ${file}`, { node: null });
    checkRefused(refused, 126, /secret\.wasm: permission denied; "chmod u\+r"/);
  });
  test('a directory that cannot be given', async () => {
    const file = await fileWith('hello.wasm', hello);
    await checkRun(file, 125, /no-such-directory: there is no such directory; make it/, ['--dir', 'no-such-directory']);
    await checkRun(file, 125, /hello\.wasm: it is no directory; name the one/, ['--dir', file]);
    await checkRun(file, 125, /--cwd nowhere: there is no such directory; make it/, ['--cwd', 'nowhere']);
  });
  test('a node that does not exist', async () => {
    const file = await fileWith('hello.wasm', hello);
    checkRefused(await lab.run(['run', '--node', 'nowhere', file]), 125, /nowhere[^]*node1/);
    checkRefused(await lab.run(['run', '--node', 'nowhere', file], { node: null }), 125, /nowhere.*godwit up/);
  });
  test('an address that is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    const file = await fileWith('hello.wasm', hello);
    try {
      await checkRun(file, 125, /in use; choose another port/, ['--listen', `127.0.0.1:${port}`]);
    } finally {
      server.close();
    }
    // An address of documentation (RFC 5737), which no machine has.
    await checkRun(file, 125, /does not have that address; choose another/, ['--listen', '192.0.2.1:0']);
  });
  test('nothing of it is left', async () => assert.deepEqual(await lab.ps(), []));
});

describe('a file that cannot be written', () => {
  test('statistics: seen before the program runs', async () => {
    const file = await fileWith('hello.wasm', hello);
    await checkRun(file, 125, /nowhere\/x\.json: there is no directory nowhere; make it/, [
      '--stats',
      'nowhere/x.json',
    ]);
    await checkRun(file, 125, /\.: it is a directory; name a file in it/, ['--stats', '.']);
  });

  test('statistics: on a full disk they are told instead, and the status is that of the program', async () => {
    const { path: ends } = await fixture('ends');
    const script = `ulimit -f 0; $GODWIT run --stats full.json ${ends} exit 3`;
    const { stderr, status } = await lab.shell(script);
    const [, stats = ''] =
      /^godwit: cannot write the statistics to full\.json: .*; they are (.*)\n$/m.exec(stderr) ?? [];
    assert.equal((JSON.parse(stats) as { moves: unknown }).moves, 0);
    assert.equal(status, 3);
  });

  test('a rewritten module', async () => {
    const file = await fileWith('hello.wasm', hello);
    const rewrite = (output: string): Promise<Result> => lab.run(['rewrite', file, '-o', output], { node: null });
    checkRefused(await rewrite('nowhere/x.wasm'), 1, /nowhere\/x\.wasm: there is no directory nowhere; make it/);
    checkRefused(await rewrite('.'), 1, /it is a directory; name a file in it/);
  });
});

test('a file that is read by the engine alone', async () => {
  for (const command of ['inspect', 'rewrite']) {
    const read = (file: string): Promise<Result> =>
      lab.run([command, file, ...(command === 'rewrite' ? ['-o', 'x'] : [])], { node: null });
    checkRefused(await read('missing.wasm'), 127, /cannot read missing\.wasm: there is no such file.*; check the path/);
    checkRefused(await read('/dev/zero'), 126, /zero: it is no regular file; give one/);
    checkRefused(await read('programs'), 126, /programs: it is a directory; give a file/);
  }
});

test(
  'output that cannot be written is not taken for all there is',
  { skip: process.platform !== 'linux' },
  async () => {
    for (const command of ['help run', 'nodes', 'nodes --json', 'token']) {
      const { stderr, status } = await lab.shell(`$GODWIT ${command} > /dev/full`);
      assert.equal(
        stderr,
        'godwit: cannot write to standard output: no space is left on the device; send it elsewhere\n',
        command,
      );
      assert.equal(status, 1);
    }
    // The pid is lost, the process is not.
    const { stderr, status } = await lab.shell(`$GODWIT run --detach ${(await fixture('hello')).path} > /dev/full`);
    assert.match(stderr, /cannot write to standard output: no space is left on the device/);
    assert.equal(status, 125);
    // Whoever has read enough is not told anything.
    assert.equal((await lab.shell('$GODWIT help run | head -1 > /dev/null')).stderr, '');
  },
);

test('the current directory is not there any more', async () => {
  const gone = path.join(lab.directory, 'gone');
  const inGone = (command: string): Promise<Result> =>
    lab.shell(`mkdir '${gone}' && cd '${gone}' && rmdir '${gone}' && $GODWIT ${command}`);
  checkRefused(await inGone(`run ${(await fixture('hello')).path}`), 125, /current directory is not there.*change to/);
  assert.equal((await inGone('ps')).status, 0);
});

test('--hop with nowhere to go: said, and run', async () => {
  const file = await fileWith('hello.wasm', hello);
  const { stdout, stderr, status } = await lab.run(['run', '--hop', '20ms', file], { node: null });
  assert.match(stderr, /^godwit: no node is running, .*--hop moves nothing; .*"godwit lab"\n$/);
  assert.deepEqual([stdout, status], ['hello, world\n', 0]);
});

describe('a command line that is wrong', () => {
  for (const args of [
    ['nonsense'],
    ['run'],
    ['run', '--nonsense', 'x.wasm'],
    ['migrate', '1'],
    ['kill', '-NONSENSE', '1'],
    ['run', '--hop', '7', 'hello.wasm'],
  ]) {
    test(args.join(' '), async () => {
      const { stdout, stderr, status } = await lab.run(args);
      assert.match(stderr, /^godwit: /);
      // What run says must not be mistaken for a program's status.
      assert.equal(status, args[0] === 'run' ? 125 : 2);
      assert.equal(stdout, '');
    });
  }

  test('no node is running', async () => {
    for (const args of [
      ['ps'],
      ['nodes'],
      ['kill', '1'],
      ['migrate', '1', 'home'],
      ['token'],
      ['down'],
      ['wait', '1'],
    ]) {
      const { stderr, status } = await lab.run(args, { node: null });
      assert.match(stderr, /^godwit: [^\n]*godwit up[^\n]*\n$/, args.join(' '));
      assert.equal(status, 125, args.join(' '));
    }
  });
});

describe('Ctrl-C', () => {
  test('while a node starts', async () => {
    const state = path.join(lab.directory, 'interrupted');
    const running = lab.spawn(['up', '--state', state, '--socket', `${state}.sock`, '--listen', '127.0.0.1:0'], {
      node: null,
    });
    await eventually('its state directory', async () =>
      (await readdir(lab.directory)).includes('interrupted') ? true : null,
    );
    running.signal('SIGINT');
    const { status } = await running.result();
    assert([0, 130].includes(status), String(status));
    // It starts with what is there.
    const again = lab.spawn(
      ['up', '--json', '--state', state, '--socket', `${state}.sock`, '--listen', '127.0.0.1:0'],
      { node: null },
    );
    await again.output(/\n/);
    again.signal('SIGINT');
    assert.equal((await again.result()).status, 0);
  });

  test('while a detached node starts, which is not left running', async () => {
    const state = path.join(lab.directory, 'detached');
    const args = ['up', '--detach', '--state', state, '--socket', `${state}.sock`, '--listen', '127.0.0.1:0'];
    const running = lab.spawn(args, { node: null });
    await eventually('its state directory', async () =>
      (await readdir(lab.directory)).includes('detached') ? true : null,
    );
    running.signal('SIGINT');
    const { stdout, status } = await running.result();
    // It may have been ready before.
    if (status === 0) assert.match(stdout, /is up/);
    else assert.deepEqual([stdout, status], ['', 130]);
    const again = await lab.run(args, { node: null });
    if (status === 0) checkRefused(again, 1, /already serves/);
    else assert.equal(again.status, 0, again.stderr);
    assert.equal((await lab.run(['down', '--socket', `${state}.sock`], { node: null })).status, 0);
  });

  test('while a lab starts', async () => {
    const directory = path.join(lab.directory, 'tmp');
    await mkdir(directory);
    const running = lab.spawn(['lab', '-n', '2'], { node: null, env: { TMPDIR: directory } });
    await eventually('its directory', async () => ((await readdir(directory)).length > 0 ? true : null));
    running.signal('SIGINT');
    assert.equal((await running.result()).status, 130);
    assert.deepEqual(await readdir(directory), []);
  });

  test('while a program starts, and while it moves', async () => {
    const { path: waits } = await fixture('waits');
    for (let i = 0; i < 4; i++) {
      const running = lab.spawn(['run', '--hop', '1ms', waits, '1', `interrupted-${i}`]);
      if (i % 2 === 1) await running.output(/ready/);
      else await lab.process(`interrupted-${i}`);
      running.signal('SIGINT');
      assert.equal((await running.result()).status, 130);
    }
    await eventually('the end of all processes', async () => ((await lab.ps()).length === 0 ? true : null));
    for (const name of ['node1', 'node2']) {
      await eventually('that no guest is left', async () => {
        return (await lab.nodeList()).find((node) => node.name === name)?.processes === 0 ? true : null;
      });
    }
  });

  test('while a command waits for a move', async () => {
    const { path: waits } = await fixture('waits');
    const running = lab.spawn(['run', waits, '1', 'stays']);
    const { pid } = await lab.process('stays');
    const moving = lab.spawn(['migrate', String(pid), 'node2']);
    moving.signal('SIGINT');
    assert.equal((await moving.result()).status, 130);
    running.endInput('on\n');
    const { stdout, status } = await running.result();
    assert.match(stdout, /1: on /);
    assert.equal(status, 0);
  });
});

test('a full disk costs the cache, not the program', async () => {
  const file = await fileWith('uncached.wasm', hello);
  const env = { XDG_CACHE_HOME: path.join(lab.directory, 'no-cache') };
  const { stdout, stderr, status } = await lab.shell(`ulimit -f 0; $GODWIT run ${file}`, { node: null, env });
  assert.deepEqual([stdout, stderr, status], ['hello, world\n', '', 0]);
});

test('a rewritten module in the cache that is damaged is made anew', async () => {
  const file = await fileWith('cached.wasm', hello);
  const cache = path.join(lab.directory, 'cache');
  assert.equal((await lab.run(['run', file], { node: null })).status, 0);
  const modules = (await readdir(cache, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  assert(modules.length > 0);
  for (const { parentPath, name } of modules) await truncate(path.join(parentPath, name), 100);
  const { stdout, stderr, status } = await lab.run(['run', file], { node: null });
  assert.deepEqual([stdout, stderr, status], ['hello, world\n', '', 0]);
});

test('all is as it was', async () => {
  assert.equal(await lab.complaints(), '');
  for (const node of lab.nodes.slice(0, 2)) assert(isAlive(node.running.pid));
  const { status } = await within(lab.run(['run', await fileWith('last.wasm', hello)]), () => 'the last run');
  assert.equal(status, 0);
});
