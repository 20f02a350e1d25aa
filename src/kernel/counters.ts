/**
 * What a process has cost so far: `godwit ps`, `run --stats` and the metrics.
 */
import { LIMITS } from '../base/limits.ts';
import type { NodeId } from '../base/ids.ts';

export class ProcessCounters {
  /** Written by the home role of a move, which calls {@link moved}. */
  moves = 0;
  /** Of each move, in order, the last LIMITS.listEntries of them: milliseconds without running; bytes of its image. */
  readonly freezeMs: number[] = [];
  readonly imageBytes: number[] = [];
  /** Calls carried out for the guest while it was on another node. Written by the deputy. */
  homeCalls = 0;
  /** Calls that the guest's node carried out without home. Written with the guest's usage reports. */
  localCalls = 0;
  /** Processor time by node, in milliseconds. Written with the guest's usage reports. */
  readonly cpuMs = new Map<NodeId, number>();

  moved(freezeMs: number, imageBytes: number): void {
    this.moves++;
    for (const [list, value] of [
      [this.freezeMs, freezeMs],
      [this.imageBytes, imageBytes],
    ] as const) {
      if (list.length === LIMITS.listEntries) list.shift();
      list.push(value);
    }
  }

  /** It is where it was wanted from the start, and has not run yet: what took it there was no move of its life. */
  placed(): void {
    this.moves = this.freezeMs.length = this.imageBytes.length = 0;
  }

  addCpu(node: NodeId, milliseconds: number): void {
    this.cpuMs.set(node, (this.cpuMs.get(node) ?? 0) + milliseconds);
  }

  /** Processor time on all nodes, in milliseconds. */
  get cpuTotalMs(): number {
    let total = 0;
    for (const milliseconds of this.cpuMs.values()) total += milliseconds;
    return total;
  }
}
