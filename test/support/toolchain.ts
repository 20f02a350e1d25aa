/**
 * LLVM for WebAssembly out of the npm package `@yowasp/clang`: itself a WebAssembly program, run inside this process
 * on a tree of files in memory. Loaded when first used, since that takes more than a second and 300 MB.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tree } from '@yowasp/clang';

/** The directory of the package: its modules and, in a tar file, headers and libraries. */
export const LLVM_DIRECTORY = path.dirname(fileURLToPath(import.meta.resolve('@yowasp/clang')));

export const LLVM_VERSION: string = (
  JSON.parse(readFileSync(path.join(LLVM_DIRECTORY, '../package.json'), 'utf8')) as { version: string }
).version;

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
