/**
 * The proof that real programs survive being moved: clang, 75 MB of WebAssembly that knows nothing of Godwit, compiles
 * a C program while it hops among three nodes; so does the linker; and what they make is what they make under Node's
 * own `node:wasi`, byte for byte. Prints the commands, so that they can be typed by hand.
 *
 *     npm run proof [-- --hop INTERVAL]
 *
 * Exit status 0 only if everything is identical and the programs have really moved.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { clangGuest, compileArgs, linkArgs } from '../test/support/clang.ts';
import { reference } from '../test/support/reference.ts';

const ROOT = path.join(import.meta.dirname, '..');
const SOURCES = ['lisp.c', 'checksum.h'];
/** Where the unmoved and the moved tools work. The same names in both: a linked module holds its file's name. */
const [PLAIN, MOVED] = ['unmoved', 'moved'] as const;
/** Milliseconds that a step under node:wasi may take on the slowest machine. */
const LIMIT = 600_000;
/** The interval for what takes less than a second. */
const SHORT = '20ms';

const directory = path.join(tmpdir(), `godwit-proof-${process.pid}`);

interface Stats {
  readonly moves: number;
  readonly freeze_ms: readonly number[];
  readonly image_bytes: readonly number[];
}

const { values } = parseArgs({
  options: { hop: { type: 'string', default: '200ms' }, inside: { type: 'boolean', default: false } },
});
process.exitCode = values.inside ? await insideLab() : await lab();

/** The same again, with three nodes around it. */
async function lab(): Promise<number> {
  say('$ godwit lab -- sh        (three nodes on this machine, as separate processes)');
  const command = ['lab', '--', process.execPath, import.meta.filename, '--inside', '--hop', values.hop];
  const { status } = await godwit(command, 'inherit');
  return status ?? 1;
}

async function insideLab(): Promise<number> {
  try {
    for (const place of [PLAIN, MOVED]) {
      await mkdir(path.join(directory, place), { recursive: true });
      for (const file of SOURCES) {
        await copyFile(path.join(ROOT, 'test/programs', file), path.join(directory, place, file));
      }
    }
    return (await prove()) ? 0 : 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function prove(): Promise<boolean> {
  say('1. clang compiles lisp.c (an interpreter, 500 lines of C)');
  const object = await both(compileArgs('lisp.c', 'lisp.o'), 'lisp.o', values.hop);
  say('2. wasm-ld, another program of the same module, links it');
  const module = await both(linkArgs(['lisp.o'], 'lisp.wasm'), 'lisp.wasm', SHORT, true);
  say('3. the program that was made on the move runs, and moves as well');
  const args = ['tak', '9'];
  const expected = await reference(path.join(directory, PLAIN, 'lisp.wasm'), { args, limit: LIMIT });
  const { stdout, moves } = await hop('run', SHORT, [path.join(directory, MOVED, 'lisp.wasm'), ...args]);
  const prints = stdout === expected.stdout && moves > 0;
  say(`   it prints ${JSON.stringify(stdout.trim())}: ${prints ? '' : 'NOT '}as without Godwit`);
  const good = object && module && prints;
  say(good ? 'proved: everything is identical' : 'FAILED: see above');
  return good;
}

/** One tool run without and with Godwit. @param mayStay it may be done before it has moved @returns whether all is well */
async function both(
  [tool = '', ...args]: readonly string[],
  output: string,
  interval: string,
  mayStay = false,
): Promise<boolean> {
  const { program, usr } = await clangGuest();
  const dirs = { '.': path.join(directory, PLAIN), '/usr': usr };
  const began = performance.now();
  const plain = await reference(program, { argv0: tool, args, dirs, limit: LIMIT });
  if (plain.status !== 0) throw new Error(`${tool} fails under node:wasi: ${plain.stderr}`);
  say(`   ${seconds(began)} under node:wasi`);
  const given = ['--dir', `${path.join(directory, MOVED)}::.`, '--dir', `${usr}::/usr`];
  const { moves } = await hop(tool, interval, [...given, program, tool, ...args]);
  const [a, b] = await Promise.all([sha256(PLAIN, output), sha256(MOVED, output)]);
  say(`   unmoved ${output}: sha256 ${a}`);
  say(`   moved   ${output}: sha256 ${b}  ${a === b ? 'identical' : 'DIFFERENT'}`);
  return a === b && (moves > 0 || mayStay);
}

/** Runs a program in a lab of three nodes while it moves; shows the command, moves and freeze times. */
async function hop(
  name: string,
  interval: string,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly moves: number }> {
  const statsFile = path.join(directory, `${name}.json`);
  const command = ['run', '--hop', interval, '--stats', statsFile, ...args];
  say(`   $ godwit ${command.map(shown).join(' ')}`);
  const began = performance.now();
  const { stdout, status } = await godwit(command, 'pipe');
  if (status !== 0) throw new Error(`${name} ended with status ${status}`);
  const stats = JSON.parse(await readFile(statsFile, 'utf8')) as Stats;
  say(`   ${seconds(began)} under Godwit: ${describe(stats)}`);
  return { stdout, moves: stats.moves };
}

async function godwit(
  args: readonly string[],
  output: 'pipe' | 'inherit',
): Promise<{ readonly stdout: string; readonly status: number | null }> {
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/godwit'), ...args], {
    stdio: ['ignore', output, 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [stdout, status] = await Promise.all([child.stdout ? text(child.stdout) : '', ended]);
  return { stdout, status };
}

function describe({ moves, freeze_ms: freezes, image_bytes: sizes }: Stats): string {
  if (moves === 0) return 'it has not moved: too quick for this interval';
  const ordered = freezes.toSorted((a, b) => a - b);
  const at = (part: number): string => (ordered[Math.floor((ordered.length - 1) * part)] ?? 0).toFixed(0);
  const largest = (Math.max(...sizes) / 1e6).toFixed(1);
  return `${moves} moves, frozen for ${at(0)} to ${at(1)} ms (median ${at(0.5)}), images of up to ${largest} MB`;
}

async function sha256(place: string, file: string): Promise<string> {
  const bytes = await readFile(path.join(directory, place, file));
  return createHash('sha256').update(bytes).digest('hex');
}

/** As one would type it in the checkout. */
function shown(word: string): string {
  const dependencies = realpathSync(path.join(ROOT, 'node_modules'));
  return word.replace(dependencies, 'node_modules').replace(`${ROOT}/`, '');
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
