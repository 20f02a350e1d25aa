/** Runs the real command as a child process, for tests. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { godwitCommand } from '../self.ts';

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One command under way. */
export interface Started {
  readonly pid: number;
  readonly child: ReturnType<typeof spawn>;
  /** Its end, with everything that it wrote. */
  readonly outcome: Promise<Outcome>;
  /** Its output as soon as that has a text in it, in however many parts it came; throws if it ends without. */
  readonly said: (text: string) => Promise<string>;
}

/** Starts any program; ended with the test at the latest. */
export function start(t: TestContext, file: string, args: readonly string[], options: SpawnOptions = {}): Started {
  const child = spawn(file, args, { stdio: 'pipe', ...options });
  t.after(() => child.kill('SIGKILL'));
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout?.on('data', (part: Buffer) => parts.stdout.push(part));
  child.stderr?.on('data', (part: Buffer) => parts.stderr.push(part));
  // Not every child takes its input to the end.
  child.stdin?.on('error', () => {});
  const outcome = once(child, 'close').then(([status, signal]) => ({
    status: status as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout: Buffer.concat(parts.stdout).toString(),
    stderr: Buffer.concat(parts.stderr).toString(),
  }));
  const said = async (text: string): Promise<string> => {
    let ended = false;
    void outcome.then(() => (ended = true));
    for (;;) {
      const whole = Buffer.concat(parts.stdout).toString();
      if (whole.includes(text)) return whole;
      if (ended) throw new Error(`ended without "${text}": ${whole}`);
      await Promise.race([once(child.stdout!, 'data'), outcome]);
    }
  };
  return { pid: child.pid!, child, outcome, said };
}

/** Starts `godwit ARGS...`. */
export function startGodwit(t: TestContext, args: readonly string[], options: SpawnOptions = {}): Started {
  const [file, words] = godwitCommand(args);
  return start(t, file, words, options);
}

/** A shell's words for `godwit`, to be followed by arguments. */
export function godwitInShell(): string {
  const [file, words] = godwitCommand([]);
  return [file, ...words].map((word) => `'${word}'`).join(' ');
}
