/** `npm pack` gives a package that works when it is installed elsewhere, by its own compiled JavaScript. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { moduleBytes } from './spec/text.ts';
import { fixture } from './support/build.ts';

const run = promisify(execFile);
const root = path.dirname(import.meta.dirname);

let scratch = '';
let project = '';
let installed = '';

/** As a user's shell would: without what npm has set up for this test run. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(registry|cache|userconfig))|^GODWIT_/i.test(name)),
  ),
  // What npm and npx have to say about the user's own settings is not about the package.
  npm_config_loglevel: 'error',
};

function npm(cwd: string, ...args: string[]) {
  return run('npm', args, { cwd, env });
}

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'godwit-pack-'));
  project = await mkdtemp(path.join(tmpdir(), 'godwit-user-'));
  const { stdout } = await npm(root, 'pack', '--json', '--pack-destination', scratch);
  // What the build says comes first.
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
  await writeFile(path.join(project, 'package.json'), '{ "private": true }');
  const flags = ['--no-audit', '--no-fund', '--prefer-offline'];
  await npm(project, 'install', ...flags, path.join(scratch, filename));
  installed = path.join(project, 'node_modules/godwit');
});
after(async () => {
  await Promise.all([scratch, project].map((directory) => rm(directory, { recursive: true, force: true })));
});

describe('the published package', () => {
  test('has compiled JavaScript and no sources or tests', async () => {
    const names = await readdir(installed, { recursive: true });
    assert(names.includes(path.join('dist', 'cli', 'main.js')));
    const unwanted = names.filter((name) =>
      /(?<!\.d)\.ts$|\.test\.|\btesting\b|^(src|test|bench|scripts)\b/.test(name),
    );
    assert.deepEqual(unwanted, []);
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md']) assert(names.includes(name), name);
  });

  test('has no file that names a TypeScript file beside it', async () => {
    const names = await readdir(path.join(installed, 'dist'), { recursive: true });
    for (const name of names.filter((file) => file.endsWith('.js'))) {
      const text = await readFile(path.join(installed, 'dist', name), 'utf8');
      assert.doesNotMatch(text, /(from|import|new URL)\s*\(?\s*['"]\.{1,2}\/[^'"\n]*(?<!\.d)\.ts['"]/, name);
    }
  });

  test('npx godwit --version', async () => {
    const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string };
    const { stdout, stderr } = await run('npx', ['--no-install', 'godwit', '--version'], { cwd: project, env });
    assert.match(stdout, new RegExp(`^(godwit )?${RegExp.escape(version)}\n$`));
    assert.equal(stderr, '');
  });

  test('npx godwit run hello.wasm', async () => {
    await copyFile((await fixture('hello')).path, path.join(project, 'hello.wasm'));
    const args = ['--no-install', 'godwit', 'run', 'hello.wasm', 'package'];
    // Not the user's own cache, which another build of the same engine version may have filled.
    const own = { ...env, XDG_CACHE_HOME: path.join(project, 'cache') };
    const { stdout, stderr } = await run('npx', args, { cwd: project, env: own });
    assert.deepEqual({ stdout, stderr }, { stdout: 'hello, package\n', stderr: '' });
  });

  test('can be imported', async () => {
    const code =
      "import * as all from 'godwit'; import * as own from 'godwit/capture'; if (all !== own) process.exit(1)";
    await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: project, env });
  });

  test('runs the example of docs/CAPTURE.md', async () => {
    const text = await readFile(path.join(installed, 'docs/CAPTURE.md'), 'utf8');
    const [, wat = ''] = /<!-- module example -->\n```wat\n([^]*?)```/.exec(text) ?? [];
    const [, example = ''] = /```js\n([^]*?)```/.exec(text) ?? [];
    const bytes = await moduleBytes(wat);
    await writeFile(path.join(project, 'example.wasm'), bytes);
    await writeFile(path.join(project, 'example.mjs'), example);
    const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: project, env });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { begin: () => {} } });
    const { memory, _start: start } = exports as unknown as { memory: WebAssembly.Memory; _start: () => void };
    start();
    const sum = new DataView(memory.buffer).getUint32(0, true);
    assert.deepEqual({ stdout, stderr }, { stdout: `2 safepoints\ncaptured\nreturned ${sum}\n`, stderr: '' });
  });

  test('has types that the compiler takes', async () => {
    const program = `
      import { Execution, Program, capture, createControl, resume, rewrite } from 'godwit/capture';
      import type { Ended } from 'godwit/capture';
      const sites: number = rewrite(new Uint8Array()).stats.sites;
      const program = Program.compile(new Uint8Array(sites));
      const imports = (self: Execution) => ({ env: { wait: (): never => self.capture() } });
      const control = createControl();
      capture(control);
      let ended: Ended = new Execution(program, { imports, control }).start();
      while (ended.type === 'captured') ended = resume(program, ended.execution.image(), { imports });
      const value: unknown = ended.value;
      // @ts-expect-error -- an image is bytes
      resume(program, value as string);`;
    await writeFile(path.join(project, 'user.mts'), program);
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', '--types', '', 'user.mts'];
    await run(process.execPath, [tsc, ...options], { cwd: project, env });
  });
});
