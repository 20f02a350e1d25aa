/** One daemon of a lab: an operating-system process of its own that ends with us, whatever happens to us. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { lastWords } from '../last-words.ts';
import { parseReady, type UpJson } from '../up-json.ts';

/**
 * Milliseconds in which a daemon has to leave the cluster in order before it is killed: one takes 0.1 s, but several
 * seconds on a machine that is very busy. Who does not want to wait presses Ctrl-C again.
 */
const STOP_GRACE = 20_000;

/** How a daemon ends that was asked to. */
export const ENDED_IN_ORDER = 'ended with status 0';

export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** What `godwit up --json` said when it was ready. */
  readonly ready: UpJson;
  /** Its end, wanted or not: a word on how. */
  readonly ended: Promise<string>;
  /** The last line that it wrote to its stderr; null if there is none. */
  readonly lastWords: () => string | null;
  /** Ends it and waits for that. Harmless if it has ended. */
  stop(): Promise<void>;
  kill(): void;
}

/**
 * Starts a daemon and waits until it is ready.
 * @param command file and arguments of `godwit up --json --attended ...`
 * @param line goes to its stdin, which stays open, when it is there; null: nothing
 * @param logFile gets its stderr
 * @param spawned told as soon as there is a process that has to be ended
 * @throws GodwitError with the daemon's own last words if it ends before it is ready
 */
export async function startNodeProcess(
  name: string,
  [file, args]: readonly [string, readonly string[]],
  env: NodeJS.ProcessEnv,
  line: Promise<string> | null,
  logFile: string,
  spawned: (stop: () => Promise<void>) => void,
): Promise<NodeProcess> {
  const log = openSync(logFile, 'w', 0o600);
  // A session of its own: Ctrl-C in the terminal is for the command that uses the lab. Its stdin is its lifeline: when
  // this process ends, even by SIGKILL, the pipe closes and `--attended` makes the daemon end.
  const child = spawn(file, args, { env, detached: true, stdio: ['pipe', 'pipe', log] });
  const { stdin, stdout } = child;
  assert(stdin && stdout, 'a child with pipes has streams');
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`it cannot be started: ${error.message}`));
    child.on('exit', (status, signal) => resolve(signal ? `ended by ${signal}` : `ended with status ${status}`));
  });
  stdin.on('error', () => {});
  // Without what it waits for, it has nothing to do.
  line?.then(
    (text) => stdin.write(`${text}\n`),
    () => stdin.end(),
  );
  spawned(() => stop(child, ended));
  const ready = await Promise.race([parseReady(stdout), ended]);
  if (ready === null || typeof ready === 'string') {
    const how = await ended;
    const words = lastWords(logFile);
    if (words === null && isFull(logFile)) {
      const place = path.dirname(logFile);
      throw new GodwitError(
        'io',
        `${name} did not start: the disk of ${place} is full; set TMPDIR to another directory`,
      );
    }
    throw new GodwitError('internal', `${name} did not start: ${words?.message ?? how}`);
  }
  return {
    name,
    pid: child.pid!,
    ready,
    ended,
    lastWords: () => lastWords(logFile)?.message ?? null,
    stop: () => stop(child, ended),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** What a daemon has to say is lost where its log has no room. */
function isFull(file: string): boolean {
  try {
    return statfsSync(file).bavail === 0;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.stdin?.end();
  child.kill('SIGTERM');
  // One that its user has stopped (SIGSTOP, to see what the others make of it) would not get to know.
  if (process.platform !== 'win32') child.kill('SIGCONT');
  const cut = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE);
  await ended;
  clearTimeout(cut);
}
