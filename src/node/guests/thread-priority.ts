/** How threads of guests and the node's own thread share processors. */
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Puts the calling thread one step behind the rest of its process. Guests that compute would else keep the node's own
 * thread waiting for a processor, and with it their moves: of 1 to 4 MB, a fifth of the time. Against other programs of
 * the machine one step is little.
 *
 * On Linux, where what is a process to setpriority(2) may be a thread; elsewhere it does nothing.
 */
export function yieldToNode(): void {
  if (process.platform !== 'linux') return;
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, Math.min(getPriority(thread) + 1, constants.priority.PRIORITY_LOW));
  } catch {
    // Without /proc guests run as well, and move a little slower.
  }
}
