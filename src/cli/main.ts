/** The `godwit` command, loaded by bin/main.js. */
import { setEngineOptions } from '../node/v8.ts';

/** SIGPIPE's exit status, which a shell expects of `godwit ps | head -1`. */
const PIPE_CLOSED = 141;

/** `godwit ps | head -1` ends quietly; on a full disk nobody may take half a list for the whole. */
async function outputFailed(error: Error): Promise<never> {
  if ('code' in error && error.code === 'EPIPE') process.exit(PIPE_CLOSED);
  const { reasonOf } = await import('./report.ts');
  process.stderr.write(`godwit: cannot write to standard output: ${reasonOf(error)}; send it elsewhere\n`);
  // Of `run`, 1 would be the program's.
  process.exit(process.argv[2] === 'run' ? 125 : 1);
}

/**
 * Carries out the command that this process was started for, and ends it.
 * @param launched whether bin/godwit is the parent
 */
export async function main(launched: boolean): Promise<never> {
  // What a program of `run` writes goes past these streams, and its end is not ours.
  if (process.argv[2] !== 'run') {
    process.stdout.on('error', (error) => void outputFailed(error));
    // There is nowhere to say it.
    process.stderr.on('error', (error) => 'code' in error && error.code === 'EPIPE' && process.exit(PIPE_CLOSED));
  }
  // Before the rest is loaded: code that was compiled under other options is not taken from the cache.
  setEngineOptions();
  const [{ commandLine }, { Given }] = await Promise.all([import('./command-line.ts'), import('./words.ts')]);
  const status = await commandLine(new Given(launched));
  // The event of a write that has failed just now would come too late.
  if (process.stdout.errored) await outputFailed(process.stdout.errored);
  process.exit(status);
}
