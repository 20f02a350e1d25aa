/**
 * The compilers for guest programs, run inside this process on files in memory: LLVM for WebAssembly out of the npm
 * package `@yowasp/clang`, itself a WebAssembly program, and AssemblyScript. Loaded when first used: LLVM takes more
 * than a second and 300 MB.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tree } from '@yowasp/clang';

/** The directory of the package: its modules and, in a tar file, headers and libraries. */
export const LLVM_DIRECTORY = path.dirname(fileURLToPath(import.meta.resolve('@yowasp/clang')));

export const LLVM_VERSION = versionOf(path.join(LLVM_DIRECTORY, '../package.json'));

export const ASSEMBLYSCRIPT_VERSION = versionOf(fileURLToPath(import.meta.resolve('assemblyscript/package.json')));

/**
 * Runs the compiler driver, which compiles and links.
 * @param args its arguments; file names are relative to the root of `sources`
 * @param sources file contents by path, with `/` between directories
 * @param output the file that the command makes
 * @throws Error with the compiler's messages
 */
export async function runClang(
  driver: 'clang' | 'clang++',
  args: readonly string[],
  sources: ReadonlyMap<string, Uint8Array>,
  output: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { commands, Exit } = await import('@yowasp/clang');
  // Loads the modules without the progress report that the first command would otherwise print.
  await commands[driver](undefined, {}, { fetchProgress: () => undefined });
  const decoder = new TextDecoder();
  let messages = '';
  const collect = (bytes: Uint8Array | null) => {
    messages += bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
  };
  try {
    const made = await commands[driver]([...args], treeOf(sources), { stdout: collect, stderr: collect });
    const bytes = made?.[output];
    if (bytes instanceof Uint8Array) return new Uint8Array(bytes);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  throw new Error(`${driver} ${args.join(' ')} made no ${output}:\n${messages}`);
}

/**
 * Runs the AssemblyScript compiler.
 * @param args its arguments; file names are those of `sources`
 * @throws Error with the compiler's messages
 */
export async function runAssemblyScript(
  args: readonly string[],
  sources: ReadonlyMap<string, Uint8Array>,
  output: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const asc = await import('assemblyscript/asc');
  const decoder = new TextDecoder();
  let made: Uint8Array | null = null;
  let messages = '';
  const { error } = await asc.main([...args], {
    readFile: (name) => {
      const bytes = sources.get(name);
      return bytes === undefined ? null : decoder.decode(bytes);
    },
    writeFile: (name, contents) => {
      if (name === output && contents instanceof Uint8Array) made = contents;
    },
    listFiles: () => [],
    stderr: {
      write: (chunk) => {
        messages += typeof chunk === 'string' ? chunk : decoder.decode(chunk);
      },
    },
  });
  if (error !== null || made === null) {
    throw new Error(`asc ${args.join(' ')} made no ${output}:\n${messages}`, { cause: error });
  }
  return new Uint8Array(made);
}

function versionOf(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function treeOf(files: ReadonlyMap<string, Uint8Array>): Tree {
  const root: Tree = {};
  for (const [name, bytes] of files) {
    const parts = name.split('/');
    const last = parts.pop() ?? '';
    let directory = root;
    for (const part of parts) {
      const next = (directory[part] ??= {});
      if (typeof next === 'string' || next instanceof Uint8Array) throw new Error(`${name}: ${part} is a file`);
      directory = next;
    }
    directory[last] = bytes;
  }
  return root;
}
