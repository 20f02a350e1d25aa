/**
 * Packages of the npm registry that are fetched when somebody asks for what is in them: they are no dependencies, and
 * nothing of them is installed or run by npm. Kept as they came, and checked against a digest each time they are read.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { CACHE } from './build.ts';
import { tarEntries } from './tar.ts';

export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** SHA-512 of the archive, as the registry gives it and as package-lock.json would: base64. */
  readonly sha512: string;
}

const DIRECTORY = path.join(CACHE, 'packages');

/** @returns whether it was fetched before */
export async function isFetched(wanted: NpmPackage): Promise<boolean> {
  return (await read(wanted)) !== null;
}

/**
 * The files of a package by their path in it; fetched if that was not done before.
 * @throws Error if it cannot be fetched, or is not what it was
 */
export async function packageFiles(wanted: NpmPackage): Promise<ReadonlyMap<string, Uint8Array>> {
  const archive = (await read(wanted)) ?? (await fetchArchive(wanted));
  const files = new Map<string, Uint8Array>();
  for (const { name, directory, bytes } of tarEntries(gunzipSync(archive))) {
    // All is below one directory, mostly `package`.
    if (!directory) files.set(name.slice(name.indexOf('/') + 1), bytes);
  }
  return files;
}

function archivePath({ name, version }: NpmPackage): string {
  return path.join(DIRECTORY, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
}

async function read(wanted: NpmPackage): Promise<Buffer | null> {
  const archive = await readFile(archivePath(wanted)).catch(() => null);
  return archive !== null && isRight(wanted, archive) ? archive : null;
}

function isRight({ sha512 }: NpmPackage, archive: Uint8Array): boolean {
  return createHash('sha512').update(archive).digest('base64') === sha512;
}

/** Through npm, which knows the user's registry and proxy. `npm pack` of a published package runs none of its scripts. */
async function fetchArchive(wanted: NpmPackage): Promise<Buffer> {
  const what = `${wanted.name}@${wanted.version}`;
  await mkdir(DIRECTORY, { recursive: true });
  const temporary = await mkdtemp(path.join(DIRECTORY, 'tmp-'));
  try {
    // npm as its own script where it says where that is: `npm` is no program but a script on Windows.
    const script = process.env['npm_execpath'];
    const [command, first] = script?.endsWith('.js') === true ? [process.execPath, [script]] : ['npm', []];
    const options = ['--pack-destination', temporary, '--ignore-scripts', '--json', '--loglevel=error'];
    const { stdout } = await promisify(execFile)(command, [...first, 'pack', what, ...options]);
    const [made] = JSON.parse(stdout) as readonly { readonly filename: string }[];
    const file = path.join(temporary, path.basename(made?.filename ?? ''));
    const archive = await readFile(file);
    if (!isRight(wanted, archive)) throw new Error(`${what} of the registry is not the one that is expected`);
    await rename(file, archivePath(wanted));
    return archive;
  } finally {
    await rm(temporary, { recursive: true });
  }
}
