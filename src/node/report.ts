/** What people and scripts are told of a process, from what the kernel knows. */
import { unreachable } from '../base/assert.ts';
import { encodeUtf8 } from '../base/bytes.ts';
import type { NodeId } from '../base/ids.ts';
import { creatorOf } from '../base/ids.ts';
import type { Process, Threads } from '../kernel/process.ts';
import type { ExitStatus } from '../kernel/status.ts';
import type { ProcessEnd, ProcessInfo, RunStats } from './daemon.ts';

/** The status that a user sees when Godwit itself could not go on with a process. */
const GODWIT_FAILED = 125;

export function processEnd(status: ExitStatus): ProcessEnd {
  switch (status.how) {
    case 'exited':
      return { how: 'exited', code: status.code, message: null };
    case 'signalled':
      return { how: 'signalled', signal: status.signal.number, message: status.report };
    case 'failed':
      return { how: 'exited', code: GODWIT_FAILED, message: status.report };
    default:
      return unreachable(status);
  }
}

/**
 * One line of `godwit ps`.
 * @param memory bytes of linear memory
 * @param commandBytes that its command line may take, about; what is longer is cut, and its last word ends with `…`
 */
export function processInfo(process: Process, memory: number, threads: Threads, commandBytes: number): ProcessInfo {
  const { pid, ppid } = process.identity;
  const command = shortened(process.identity.command, commandBytes);
  return {
    pid,
    ppid: ppid ?? 0,
    home: creatorOf(pid),
    node: process.node,
    state: process.stateWith(threads),
    threads: process.ended ? 0 : threads.count,
    memory,
    cpu_ms: process.counters.cpuTotalMs,
    moves: process.counters.moves,
    stay: [...process.stay, ...process.heldBy],
    command,
  };
}

/** @param nameOf the name of a node */
export function runStats({ counters }: Process, nameOf: (node: NodeId) => string): RunStats {
  return {
    moves: counters.moves,
    freeze_ms: counters.freezeMs,
    image_bytes: counters.imageBytes,
    home_calls: counters.homeCalls,
    local_calls: counters.localCalls,
    cpu_ms: Object.fromEntries([...counters.cpuMs].map(([node, ms]) => [nameOf(node), ms])),
  };
}

/** As many words as there is room for. */
function shortened(words: readonly string[], most: number): readonly string[] {
  let left = most;
  for (const [index, word] of words.entries()) {
    const bytes = encodeUtf8(word).length;
    // A word takes four more, for its length.
    if (bytes + 4 > left) return [...words.slice(0, index), `${word.slice(0, Math.max(0, left >> 2)).toWellFormed()}…`];
    left -= bytes + 4;
  }
  return words;
}
