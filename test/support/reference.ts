/**
 * Runs a program unmodified under Node's own `node:wasi`, in a process of its own: what Godwit's runs are compared
 * with.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';

export interface RunOptions {
  /** Argument 0; the base name of the program's file if missing. */
  readonly argv0?: string;
  /** Arguments behind the program's name. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Directories of this machine by the name under which the program gets them. */
  readonly dirs?: Readonly<Record<string, string>>;
  /** What the program reads from its standard input, a pipe; nothing if missing. */
  readonly stdin?: Uint8Array | string;
  /** Milliseconds after which a run that does not end is given up. */
  readonly limit?: number;
}

const DEFAULT_LIMIT = 60_000;

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status; null after a trap. */
  readonly status: number | null;
  /** The engine's message, such as `unreachable`; null if the program ended by itself. */
  readonly trap: string | null;
  /** SHA-256 of the whole linear memory at the end, hexadecimal. */
  readonly memory: string;
}

/** What the child gets as its argument. */
export interface Job {
  readonly program: string;
  readonly argv0: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dirs: Readonly<Record<string, string>>;
}

/**
 * @param program path of a WebAssembly module for preview 1
 * @throws Error if the module could not be started at all, or did not end within the limit
 */
export async function reference(program: string, options: RunOptions = {}): Promise<Outcome> {
  const { argv0 = path.basename(program) } = options;
  const job: Job = { program, argv0, args: options.args ?? [], env: options.env ?? {}, dirs: options.dirs ?? {} };
  const child = spawn(
    process.execPath,
    ['--no-warnings', path.join(import.meta.dirname, 'wasi-main.ts'), JSON.stringify(job)],
    { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], timeout: options.limit ?? DEFAULT_LIMIT, killSignal: 'SIGKILL' },
  );
  const { stdin, stdout, stderr } = child;
  const report = child.stdio[3];
  if (!(report && 'read' in report)) throw new Error('no report pipe');
  // A program may end without reading all of its input.
  stdin.on('error', () => undefined);
  stdin.end(options.stdin ?? '');
  const [out, err, ending] = await Promise.all([text(stdout), text(stderr), text(report), once(child, 'close')]);
  if (ending === '') throw new Error(`${program} could not be run or did not end: ${err}`);
  return { stdout: out, stderr: err, ...(JSON.parse(ending) as Pick<Outcome, 'status' | 'trap' | 'memory'>) };
}
