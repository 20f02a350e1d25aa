/**
 * What the demonstration has seen so far: pure data, from which the screen and the plain lines are made.
 */
import type { NodeInfo, ProcessInfo } from '../../node/daemon.ts';

export interface Row {
  readonly job: string;
  readonly what: string;
  readonly pid: number;
  /** Node id; 0 before it was first seen. */
  node: number;
  moves: number;
  cpuMs: number;
  state: string;
  /** The unmoved run that the others are compared with. */
  readonly pinned: boolean;
}

export interface Event {
  /** Milliseconds since the start. */
  readonly at: number;
  /** `move`: a process was seen on another node; there are many of these. */
  readonly kind: 'move' | 'note';
  readonly text: string;
}

/** Events kept for the screen. */
const EVENTS_KEPT = 100;

export class Story {
  nodes: readonly NodeInfo[] = [];
  readonly rows = new Map<number, Row>();
  /** The latest ones. */
  readonly events: Event[] = [];
  /** How many there were, those that are no longer kept included. */
  told = 0;
  /** Of all processes, those that have ended included. */
  moves = 0;
  finished = 0;

  nodeName(id: number): string {
    return this.nodes.find((node) => node.id === id)?.name ?? `node ${id}`;
  }

  started(job: string, what: string, pid: number, pinned: boolean): void {
    this.rows.set(pid, { job, what, pid, node: 0, moves: 0, cpuMs: 0, state: 'starting', pinned });
  }

  /** Moves of a process between the last look at it and its end are in `moves`, what it says at its end. */
  ended(pid: number, moves: number, at: number, text: string): void {
    this.moves += Math.max(0, moves - (this.rows.get(pid)?.moves ?? 0));
    this.rows.delete(pid);
    this.finished++;
    this.tell(at, text);
  }

  tell(at: number, text: string, kind: Event['kind'] = 'note'): void {
    this.events.push({ at, kind, text });
    this.told++;
    if (this.events.length > EVENTS_KEPT) this.events.shift();
  }

  /** Takes a look at the cluster. */
  seen(nodes: readonly NodeInfo[], processes: readonly ProcessInfo[], at: number): void {
    this.nodes = nodes.toSorted((a, b) => a.name.localeCompare(b.name));
    for (const process of processes) {
      const row = this.rows.get(process.pid);
      if (!row) continue;
      if (row.node !== 0 && row.node !== process.node) {
        const [from, to] = [this.nodeName(row.node), this.nodeName(process.node)];
        this.tell(at, `${row.job} (${row.pid}) moved from ${from} to ${to}`, 'move');
      }
      this.moves += Math.max(0, process.moves - row.moves);
      row.node = process.node;
      row.moves = process.moves;
      row.cpuMs = process.cpu_ms;
      row.state = process.state;
    }
  }
}
