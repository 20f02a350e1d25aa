/** A process in the foreground: the signals of this command are its signals. */
import type { RunHandle } from '../node/daemon.ts';
import { onResize } from './stdio/local-stdio.ts';
import { SIGNALS } from './signals.ts';

/** Where a process was started: through the control socket, or in this operating-system process. */
export interface Attachable {
  /** To the process, which need not have started yet. */
  signal(signal: number): void;
  /** Resolves when Godwit has shown that it still reacts. */
  ping(): Promise<void>;
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGTSTP'] as const;

const number = (name: string): number => SIGNALS.get(name.slice('SIG'.length))!;

/**
 * From now on signals to this command go to the process.
 * @param hardEnd called at a second Ctrl-C if Godwit has not reacted since the first, with the exit status
 */
export function forwardSignals(target: Attachable, hardEnd: (status: number) => void): void {
  let unanswered = false;
  const interrupt = (): void => {
    if (unanswered) return hardEnd(128 + number('SIGINT'));
    unanswered = true;
    // A lost connection is told elsewhere; here it only means that nothing reacts.
    return void target.ping().then(
      () => (unanswered = false),
      () => {},
    );
  };
  for (const name of FORWARDED) {
    // Not on every system (Windows has three of them).
    if (process.platform === 'win32' && !['SIGINT', 'SIGTERM', 'SIGHUP'].includes(name)) continue;
    process.on(name, () => {
      target.signal(number(name));
      if (name === 'SIGINT') interrupt();
      // Ctrl-Z: the process stops, and so does this command, to give the terminal back to the shell. SIGCONT wakes both.
      // One turn of the event loop later, when the signal has left.
      if (name === 'SIGTSTP') setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
    });
  }
}

/** The terminal's size follows its window. */
export function forwardSize(handle: RunHandle): void {
  onResize((size) => handle.resize(size));
}
