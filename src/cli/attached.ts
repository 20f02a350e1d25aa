/** A process in the foreground: the signals of this command are its signals. */
import { exitStatusOf, signalNamed } from '../abi/signals.ts';
import type { RunHandle } from '../node/daemon.ts';
import { onResize } from './stdio/local-stdio.ts';

/** Where a process was started: through the control socket, or in this operating-system process. */
export interface Attachable {
  /** To the process, which need not have started yet. */
  signal(signal: number): void;
  /** Resolves when Godwit has shown that it still reacts. */
  ping(): Promise<void>;
}

const FORWARDED = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'CONT', 'TSTP'] as const;
/** Windows has only these. */
const EVERYWHERE: ReadonlySet<string> = new Set(['INT', 'TERM', 'HUP']);

/**
 * From now on signals to this command go to the process.
 * @param hardEnd called at a second Ctrl-C if Godwit has not reacted since the first, with the exit status
 */
export function forwardSignals(target: Attachable, hardEnd: (status: number) => void): void {
  let unanswered = false;
  let stop: NodeJS.Immediate | null = null;
  const interrupt = (): void => {
    if (unanswered) return hardEnd(exitStatusOf(signalNamed('INT')));
    unanswered = true;
    // A lost connection is told elsewhere; here it only means that nothing reacts.
    return void target.ping().then(
      () => (unanswered = false),
      () => {},
    );
  };
  for (const name of FORWARDED) {
    if (process.platform === 'win32' && !EVERYWHERE.has(name)) continue;
    process.on(`SIG${name}`, () => {
      // The terminal and the launcher may both send it: a second stop would come after the SIGCONT that ends the first.
      if (name === 'TSTP' && stop !== null) return;
      target.signal(signalNamed(name).number);
      if (name === 'INT') interrupt();
      // Ctrl-Z: the process stops, and so does this command, to give the terminal back to the shell. SIGCONT wakes both.
      // One turn of the event loop later, when the signal has left.
      if (name === 'TSTP') stop = setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
      if (name === 'CONT' && stop !== null) {
        clearImmediate(stop);
        stop = null;
      }
    });
  }
}

/** The terminal's size follows its window. */
export function forwardSize(handle: RunHandle): void {
  onResize((size) => handle.resize(size));
}
