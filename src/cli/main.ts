/** The `godwit` command, loaded by bin/main.js. */
import { setEngineOptions } from '../node/v8.ts';

/** SIGPIPE's exit status, which a shell expects of `godwit ps | head -1`. */
const PIPE_CLOSED = 141;

/** `godwit ps | head -1` ends quietly. `run` writes past these streams and never comes here. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(PIPE_CLOSED);
  throw error;
}

if (process.argv[2] !== 'run') {
  process.stdout.on('error', endQuietly);
  process.stderr.on('error', endQuietly);
}
// Before the rest is loaded: code that was compiled under other options is not taken from the cache.
setEngineOptions();
const { commandLine } = await import('./command-line.ts');
process.exit(await commandLine(process.argv.slice(2)));
