/**
 * Clang as a guest: the compiler of `@yowasp/clang` is a plain preview 1 program of 75 MB, the largest real program
 * that the tests and the demonstration run. It cannot start other processes, so compiling and linking are two runs of
 * the same module; the second argument says which tool it is.
 */
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CACHE } from './build.ts';
import { tarEntries } from './tar.ts';
import { LLVM_DIRECTORY, LLVM_VERSION } from './toolchain.ts';

export interface ClangGuest {
  /** The module to run. */
  readonly program: string;
  /** Headers and libraries: has to be given to the program as `/usr`. */
  readonly usr: string;
}

/** @returns where the compiler is, after its headers and libraries have been unpacked (once, about a second) */
export async function clangGuest(): Promise<ClangGuest> {
  const usr = path.join(CACHE, `llvm-${LLVM_VERSION}`);
  if (!(await exists(usr))) await unpack(path.join(LLVM_DIRECTORY, 'llvm-resources.tar'), usr);
  return { program: path.join(LLVM_DIRECTORY, 'llvm.core.wasm'), usr };
}

/** Arguments that compile `source` to the object file `object`; both are relative to the directory given as `.`. */
export function compileArgs(source: string, object: string, flags: readonly string[] = ['-O2']): string[] {
  return ['clang', ...flags, '-c', source, '-o', object];
}

/** Arguments that link object files of C programs to a module: what the driver would pass to the linker. */
export function linkArgs(objects: readonly string[], output: string): string[] {
  const builtins = '/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a';
  const libraries = ['-L/usr/lib/wasm32-wasip1', '/usr/lib/wasm32-wasip1/crt1-command.o'];
  return ['wasm-ld', '-m', 'wasm32', ...libraries, ...objects, '-lc', builtins, '-o', output];
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Unpacks beside the target and renames, so that the target is complete as soon as it is there. */
async function unpack(tar: string, target: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const temporary = await mkdtemp(`${target}.`);
  for (const { name, directory, bytes } of tarEntries(await readFile(tar))) {
    const file = path.join(temporary, name);
    await mkdir(directory ? file : path.dirname(file), { recursive: true });
    if (!directory) await writeFile(file, bytes);
  }
  try {
    await rename(temporary, target);
  } catch (error) {
    // Another process was first.
    await rm(temporary, { recursive: true });
    if (!(await exists(target))) throw error;
  }
}
