/**
 * What the home node remembers of a process and of the move that it makes; and the two steps of a move that change
 * where the process is.
 */
import type { Timer } from '../base/env.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../base/ids.ts';
import type { MoveResult, MoveStats } from './hosts.ts';

export type Answer = (result: MoveResult) => void;

export interface Move {
  readonly id: MoveId;
  readonly source: NodeId;
  readonly target: NodeId;
  /** The incarnation at the source. */
  readonly from: Incarnation;
  /**
   * prepare → (pre-copy will come here, with the process running) → freeze → commit. Before commit the process is at
   * the source; from commit on at the target, while the source keeps a frozen copy until the target is seen to run.
   */
  phase: 'prepare' | 'freeze' | 'commit';
  /** What the source held is gone: the target's image, if it is complete, is the only one. */
  sourceGone: boolean;
  readonly startedAt: number;
  /** When the order to freeze was sent. */
  freezeAt: number;
  waitedMs: number;
  imageBytes: number;
  timer: Timer | null;
  readonly answers: Answer[];
}

export interface Process {
  readonly pid: Pid;
  place: NodeId;
  incarnation: Incarnation;
  stopped: boolean;
  move: Move | null;
  /** The last wish that came while a move was under way. */
  wish: { readonly target: NodeId; readonly answers: Answer[] } | null;
  /** After a commit was taken back: the incarnation under which the frozen copy at `place` may still be known there. */
  frozenAs: Incarnation | null;
}

/** The process is at the move's target from now on. */
export function commitTo(process: Process, move: Move, next: Incarnation): void {
  process.place = move.target;
  process.incarnation = next;
  process.frozenAs = null;
  move.phase = 'commit';
}

/** It is back at the move's source. The higher incarnation makes a guest at the target that may yet appear a stale one. */
export function takeBack(process: Process, move: Move, next: Incarnation): void {
  process.place = move.source;
  process.incarnation = next;
  process.frozenAs = move.from;
}

/** Milliseconds for which the process has stood still, on home's clock: by a message each way too many, never too few. */
export function frozenMs(move: Move, now: number): number {
  return Math.max(0, now - move.freezeAt - move.waitedMs);
}

/** At the moment when the target reports to run. */
export function statsOf(move: Move, now: number): MoveStats {
  return {
    freezeMs: frozenMs(move, now),
    totalMs: now - move.startedAt,
    imageBytes: move.imageBytes,
  };
}
