/**
 * Builds the guest programs of test/programs/ and keeps the results by content: a built file stands in a directory
 * named by a digest of everything that went into it, so it never has to be checked for age, and processes that build
 * the same program at once can only replace a file by an equal one.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  ASSEMBLYSCRIPT_FLAGS,
  CLANG_FLAGS,
  FIXTURES,
  type FixtureName,
  type FixtureSpec,
  THREADS_DIRECTORY,
  THREADS_FLAGS,
} from './fixtures.ts';
import { ASSEMBLYSCRIPT_VERSION, LLVM_VERSION, runAssemblyScript, runClang } from './toolchain.ts';

const root = path.join(import.meta.dirname, '../..');
const programs = path.join(root, 'test/programs');

/** Where built fixtures are kept; may be deleted at any time. */
export const CACHE = path.join(root, 'node_modules/.cache/godwit');

export interface Fixture {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * @param name a program of {@link FIXTURES}
 * @returns the built module: from the cache (a few milliseconds) or built now (about 2 s for the first of a process)
 * @throws Error with the compiler's messages if the program does not compile
 */
export function fixture(name: FixtureName): Promise<Fixture> {
  let found = building.get(name);
  if (found === undefined) {
    found = build(programs, name, FIXTURES[name]);
    building.set(name, found);
  }
  return found;
}

/** What this process has asked for: nothing is built twice by one. */
const building = new Map<FixtureName, Promise<Fixture>>();

/**
 * The same for a program whose source stands in another directory; it may include the headers of test/programs/.
 * @param directory absolute path of the directory that holds `spec.source`
 */
export async function build(directory: string, name: string, spec: FixtureSpec): Promise<Fixture> {
  if (spec.source.endsWith('.wasm')) {
    const file = path.join(directory, spec.source);
    return { path: file, bytes: new Uint8Array(await readFile(file)) };
  }
  const sources = await readSources(directory, spec);
  const compiler = isAssemblyScript(spec) ? ASSEMBLYSCRIPT_VERSION : LLVM_VERSION;
  const options = [compiler, commonFlags(spec), spec];
  return kept(`${path.basename(name)}.wasm`, options, sources, () => compile(spec, sources));
}

/**
 * A file that is made once.
 * @param name its name, the last part of its path
 * @param options whatever else than the sources it depends on: becomes JSON
 * @param make makes it of the sources, if it is not there yet
 */
export async function kept(
  name: string,
  options: readonly unknown[],
  sources: ReadonlyMap<string, Uint8Array>,
  make: () => Promise<Uint8Array>,
): Promise<Fixture> {
  const file = path.join(CACHE, 'fixtures', digest(options, sources), name);
  const cached = await readFile(file).catch(() => null);
  if (cached !== null) return { path: file, bytes: new Uint8Array(cached) };
  const bytes = new Uint8Array(await make());
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, bytes);
  await rename(temporary, file);
  return { path: file, bytes };
}

/** The program's own file and every header, by path inside test/programs/; the layer for threads if it is used. */
async function readSources(directory: string, spec: FixtureSpec): Promise<Map<string, Uint8Array>> {
  const headers = (await readdir(programs, { recursive: true })).filter((name) => name.endsWith('.h')).sort();
  const files = [
    [spec.source, path.join(directory, spec.source)] as const,
    ...headers.map((name) => [name, path.join(programs, name)] as const),
    ...(spec.threads === true ? await layer() : []),
  ];
  return new Map(await Promise.all(files.map(async ([name, file]) => [name, await readFile(file)] as const)));
}

/** The files of the layer for threads. */
async function layer(): Promise<(readonly [string, string])[]> {
  const found = await readdir(path.join(root, THREADS_DIRECTORY), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .map((file) => [path.relative(root, file).replaceAll(path.sep, '/'), file] as const);
}

function digest(options: readonly unknown[], sources: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([...options, [...sources.keys()]]));
  for (const bytes of sources.values()) hash.update(createHash('sha256').update(bytes).digest());
  return hash.digest('hex').slice(0, 20);
}

async function compile(spec: FixtureSpec, sources: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const flags = [...commonFlags(spec), ...(spec.flags ?? [])];
  if (isAssemblyScript(spec)) return runAssemblyScript([spec.source, ...flags, '--outFile', OUTPUT], sources, OUTPUT);
  const driver = spec.source.endsWith('.cc') ? 'clang++' : 'clang';
  const own = [...sources.keys()].filter((name) => name.startsWith(THREADS_DIRECTORY) && name.endsWith('.c'));
  return runClang(driver, [...flags, spec.source, ...own, '-o', OUTPUT], sources, OUTPUT);
}

const OUTPUT = 'out.wasm';

function isAssemblyScript(spec: FixtureSpec): boolean {
  return spec.source.endsWith('.as.ts');
}

function commonFlags(spec: FixtureSpec): readonly string[] {
  if (isAssemblyScript(spec)) return ASSEMBLYSCRIPT_FLAGS;
  return spec.threads === true ? [...CLANG_FLAGS, ...THREADS_FLAGS] : CLANG_FLAGS;
}
