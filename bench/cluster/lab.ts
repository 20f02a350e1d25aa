/** A lab for as long as a benchmark needs it. */
import { Lab } from '../../src/cli/lab/lab.ts';

/**
 * Starts real nodes as processes of this machine, and stops them in every case.
 * @param use may run until `signal` is aborted: the nodes end then, and whatever waits for them fails
 */
export async function* withLab<T>(
  nodes: number,
  signal: AbortSignal,
  use: (lab: Lab) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const lab = await Lab.start({ nodes, env: process.env }, signal);
  const abort = (): void => void lab.stop();
  signal.addEventListener('abort', abort);
  try {
    yield* use(lab);
  } finally {
    signal.removeEventListener('abort', abort);
    await lab.stop();
  }
}
