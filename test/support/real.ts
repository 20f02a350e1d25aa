/**
 * Programs that others have written, built or taken from their sources in packages of npm: SQLite, Lua, and Yosys, which
 * is there as a module. They are fetched and built when a benchmark or `npm run torture` asks for them, never by
 * `npm install` or `npm test`.
 */
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CACHE, type Fixture, kept } from './build.ts';
import { CLANG_FLAGS } from './fixtures.ts';
import { isFetched, type NpmPackage, packageFiles } from './packages.ts';
import { LLVM_VERSION, runClang } from './toolchain.ts';

export type RealName = 'sqlite' | 'lua' | 'yosys';

/** What is ours: a program around SQLite, a script, a circuit. Given to the programs as `.`. */
export const REAL_DIRECTORY = path.join(import.meta.dirname, '../programs/real');

interface RealProgram {
  readonly package: NpmPackage;
  readonly make: (files: ReadonlyMap<string, Uint8Array>) => Promise<Fixture>;
}

/** SQLite 3.54.1, for one thread and without extensions to load; the rest is as SQLite comes. */
const SQLITE_FLAGS: readonly string[] = [
  '-O2',
  '-DSQLITE_THREADSAFE=0',
  '-DSQLITE_DEFAULT_MEMSTATUS=0',
  '-DSQLITE_DQS=0',
  '-DSQLITE_OMIT_LOAD_EXTENSION',
  '-DSQLITE_OMIT_DEPRECATED',
  '-DSQLITE_OMIT_SHARED_CACHE',
];

/** Lua 5.2.4, the interpreter as it is; its errors and coroutines are setjmp and longjmp. */
const LUA_FLAGS: readonly string[] = [
  '-O2',
  '-mllvm',
  '-wasm-enable-sjlj',
  '-D_WASI_EMULATED_PROCESS_CLOCKS',
  '-D_WASI_EMULATED_SIGNAL',
  '-DL_tmpnam=20',
  '-Wno-deprecated-declarations',
  '-Wl,-z,stack-size=1048576',
  '-lsetjmp',
  '-lwasi-emulated-process-clocks',
  '-lwasi-emulated-signal',
];

const PROGRAMS: Readonly<Record<RealName, RealProgram>> = {
  sqlite: {
    package: {
      name: 'better-sqlite3',
      version: '13.2.0',
      sha512: 'Z8Q/9x/uNyKxA1v4FNodyItRVRw1TeKBrmj32JhxhR0ceNcBY+wMobt/Bv7M7TzwPAXjnZRtNaEsATnUZSKWZQ==',
    },
    make: makeSqlite,
  },
  lua: {
    package: {
      name: 'lua.vm.js',
      version: '0.0.1',
      sha512: 'KtMczj7kTPK4JmqWXKQKF8RczOo0aVLDyNWMEiLhK+0bxWMr7uY3w1tlEJ07aEUMg4Ek/3ArgWLlJNa7/07BoQ==',
    },
    make: makeLua,
  },
  yosys: {
    package: {
      name: '@yowasp/yosys',
      version: '0.55.944',
      sha512: 'O9yjd529cPb8R+FO7gpQRw658yGjApBN9JiqMg21+5tONXrGhF9EygKF/vDXrHvoYerYU7QqxIK05tQDhPYgPQ==',
    },
    make: makeYosys,
  },
};

/** @returns whether its package was fetched before */
export function isRealFetched(name: RealName): Promise<boolean> {
  return isFetched(PROGRAMS[name].package);
}

/**
 * Fetches and builds the program, or finds it in the cache. SQLite takes one to some minutes to compile.
 * @throws Error if its package cannot be fetched or the program does not compile
 */
export async function realProgram(name: RealName): Promise<Fixture> {
  const { package: from, make } = PROGRAMS[name];
  return make(await packageFiles(from));
}

/** In two steps, so that a change of the program around it does not compile SQLite again. */
async function makeSqlite(files: ReadonlyMap<string, Uint8Array>): Promise<Fixture> {
  const amalgamation = within(files, 'deps/sqlite3/', ['sqlite3.c', 'sqlite3.h']);
  const object = await kept('sqlite3.o', [LLVM_VERSION, SQLITE_FLAGS], amalgamation, () =>
    runClang('clang', [...SQLITE_FLAGS, '-c', 'sqlite3.c', '-o', 'sqlite3.o'], amalgamation, 'sqlite3.o'),
  );
  const sources = new Map([
    ['real/sqlite.c', await ours('sqlite.c')],
    ['checksum.h', await ours('../checksum.h')],
    ...within(files, 'deps/sqlite3/', ['sqlite3.h']),
    ['sqlite3.o', object.bytes],
  ]);
  return kept('sqlite.wasm', [LLVM_VERSION, CLANG_FLAGS], sources, () =>
    runClang('clang', [...CLANG_FLAGS, '-I.', 'real/sqlite.c', 'sqlite3.o', '-o', OUTPUT], sources, OUTPUT),
  );
}

async function makeLua(files: ReadonlyMap<string, Uint8Array>): Promise<Fixture> {
  const names = [...files.keys()].flatMap((name) => /^lua\/src\/([^/]+\.[ch])$/.exec(name)?.[1] ?? []);
  // luac.c is another program.
  const sources = within(files, 'lua/src/', names.filter((name) => name !== 'luac.c').sort());
  sources.set('lacks.c', await ours('lacks.c'));
  const units = [...sources.keys()].filter((name) => name.endsWith('.c'));
  return kept('lua.wasm', [LLVM_VERSION, LUA_FLAGS], sources, () =>
    runClang('clang', [...LUA_FLAGS, ...units, '-o', OUTPUT], sources, OUTPUT),
  );
}

function makeYosys(files: ReadonlyMap<string, Uint8Array>): Promise<Fixture> {
  const module = within(files, 'gen/', ['yosys.core.wasm']);
  return kept('yosys.wasm', [], module, async () => module.get('yosys.core.wasm')!);
}

/** The file of the package that brings Yosys's library: each line of it is a file's name and its text, as JSON. */
const YOSYS_LIBRARY = 'gen/resources-yosys.js';
const YOSYS_FILE = /^ {8}"([^"/]+)": (".*"),?$/gm;

/** @returns the directory that has to be given to Yosys as `/share` */
export async function yosysShare(): Promise<string> {
  const target = path.join(CACHE, `yosys-share-${PROGRAMS.yosys.package.version}`);
  if (await isThere(target)) return target;
  const files = await packageFiles(PROGRAMS.yosys.package);
  const library = new TextDecoder().decode(within(files, '', [YOSYS_LIBRARY]).get(YOSYS_LIBRARY));
  await mkdir(CACHE, { recursive: true });
  const temporary = await mkdtemp(`${target}.`);
  for (const [, name = '', text = ''] of library.matchAll(YOSYS_FILE)) {
    await writeFile(path.join(temporary, name), JSON.parse(text) as string);
  }
  try {
    await rename(temporary, target);
  } catch (error) {
    // Another process was first.
    await rm(temporary, { recursive: true });
    if (!(await isThere(target))) throw error;
  }
  return target;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

const OUTPUT = 'out.wasm';

/** Files of a directory of the package, by their names in it. */
function within(files: ReadonlyMap<string, Uint8Array>, directory: string, names: readonly string[]) {
  return new Map<string, Uint8Array>(
    names.map((name) => {
      const bytes = files.get(directory + name);
      if (bytes === undefined) throw new Error(`the package has no ${directory}${name}`);
      return [name, bytes];
    }),
  );
}

function ours(name: string): Promise<Uint8Array> {
  return readFile(path.join(REAL_DIRECTORY, name));
}
