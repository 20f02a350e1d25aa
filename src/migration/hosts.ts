/**
 * What the machines of a move need from the daemon, and what the daemon must tell them. The machines call these
 * interfaces; results that take time come back as events, the methods of the same names on `Roles`
 * (migration/roles.ts). An event may be raised from inside the call that caused it.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../base/ids.ts';
import type { Carried } from '../base/schema.ts';
import type { MigrationMessage, processSpec } from '../link/frames/migration.ts';
import type { ProcessMessage, usage } from '../link/frames/process.ts';
import type { StayReason } from '../kernel/stay.ts';

export type Message = ProcessMessage | MigrationMessage;
export type ProcessSpec = Carried<typeof processSpec>;
export type Usage = Carried<typeof usage>;

/**
 * The links to the other nodes. Between two nodes: in order and exactly once, until the session is lost, which both
 * sides learn (`reset` or `restarted`, see {@link PeerEvent}) before they see or send anything of the next one.
 */
export interface Network {
  readonly self: NodeId;
  /**
   * Queues a message; to a node that is not there, for as long as the link keeps it. Does not throw: what cannot be
   * queued is lost with the session, which `reset` tells later. Never to `self`.
   */
  send(to: NodeId, message: Message): void;
  /** True if a bulk message (with a `payload`) may be sent now. When false, `Roles.room(to)` follows once there is room. */
  hasRoom(to: NodeId): boolean;
}

/**
 * What a node learns of another one, from the link and from the membership. `reset` comes before anything is sent in
 * the next session, `restarted` before anything of the new daemon is delivered; after silence, `reset` or `down`,
 * `reachable` comes when the node is heard again. With `down` the session must be closed: `reset` follows at once.
 */
export type PeerEvent =
  /** Silent for a while. Nothing is lost yet. */
  | 'unreachable'
  /** Answers (again). */
  | 'reachable'
  /** The session is lost, and with it perhaps messages of both directions. What is sent from now on is of the next one. */
  | 'reset'
  /** The daemon is a new one: what the old one held is gone. */
  | 'restarted'
  /** The membership has given the node up. */
  | 'down';

/** Called for guests on this node, at home and away. */
export interface GuestHost {
  /** The guest must not execute anything until {@link go}. A state, not a step: it holds across freeze and resume. */
  pause(pid: Pid): void;
  go(pid: Pid): void;
  /** Ends the worker and forgets the guest or its frozen copy. No event follows. */
  discard(pid: Pid): void;
}

/** The image of a frozen guest, read as the link has room. Stays readable until the guest is resumed or discarded. */
export interface ImageSource {
  /** The length of the whole image. */
  readonly bytes: number;
  /** The next 1 to `max` bytes, as a view that stays valid until it is sent; null at the end. */
  next(max: number): Uint8Array | null;
  /** SHA-256 of the image, once `next` has returned null. */
  digest(): Uint8Array;
}

export interface SourceHost {
  /**
   * Stop the guest at its next safepoint and capture it; its blocked call is left (a home call stays under way at
   * home, the guest makes it again when it is resumed). → `frozen(pid, move, image, usage, stoppedMs)`, or
   * `cannot(pid, move, reasons)`: it runs on, or `ended(pid, end)`, or `failed(pid, move, reason)`: something is wrong here,
   * and the guest waits for {@link resume}. From `frozen` on nothing of the guest executes.
   */
  freeze(pid: Pid, move: MoveId): void;
  /** Undo `freeze`, however far it has come: run on, under this incarnation. No `frozen` or `cannot` follows. */
  resume(pid: Pid, incarnation: Incarnation): void;
}

export interface DestinationHost {
  /**
   * Check version, features, memory and policy, get the module (from `home` if it is not cached), compile it, reserve
   * memory, make a worker, which need not be ready yet if that takes it no more than a moment. → `reserved(pid, move)`
   * or `refused(pid, move, reason)`.
   */
  reserve(pid: Pid, move: MoveId, spec: ProcessSpec, home: NodeId): void;
  /** An image of so many bytes comes. @returns null, or why it is not taken (larger than what was reserved) */
  open(pid: Pid, bytes: number): string | null;
  /** The next bytes of the image; the view is only valid during the call. States may be taken up as soon as they are there. */
  write(pid: Pid, chunk: Uint8Array): void;
  /**
   * The image is complete: check the digest, make everything ready, so that `start` can hardly fail.
   * → `sealed(pid, move)` or `unsealed(pid, move, reason)`.
   */
  seal(pid: Pid, move: MoveId, digest: Uint8Array): void;
  /**
   * Run it, under this incarnation; if `paused`, not before {@link GuestHost.go}. → `started(pid)` when its state has
   * been taken up, paused or not, or `startFailed(pid, reason)` if that failed: nothing of the guest has executed.
   * @param frozenMs how long it has stood still: a message or two too long, never too short. Its monotonic clock goes on by that
   */
  start(pid: Pid, incarnation: Incarnation, home: NodeId, paused: boolean, frozenMs: number): void;
  /** Drop the reservation and all that belongs to it. No event follows. */
  giveUp(pid: Pid): void;
}

/** How a process ended, as home tells it to whoever waits for it. */
export interface ProcessEnd {
  /** `lost`: with the node where it was. `killed`: by home. */
  readonly cause: 'exit' | 'trap' | 'engine' | 'killed' | 'lost';
  /** Exit status as a shell gives it: 0 to 255, 128 + n after signal n. */
  readonly status: number;
  /** For people: the trap, or what was lost with which node. */
  readonly report: string | null;
  /** Where it was last. */
  readonly node: NodeId;
}

export type NodeState = 'up' | 'unreachable' | 'down' | 'unknown';

/** The other nodes, as a home knows them. */
export interface NodeView {
  nodeState(node: NodeId): NodeState;
  /** What people call the node. */
  nameOf(node: NodeId): string;
  /** Why a node that is not up cannot be asked anything: a clause that names it, and what helps. */
  silence(node: NodeId): string;
}

/** Called for processes whose home is this node. */
export interface HomeHost extends NodeView {
  /** Why the process may not move now; empty if it may. */
  stayReasons(pid: Pid): readonly StayReason[];
  spec(pid: Pid): ProcessSpec;
  /** The process is at this node in this incarnation from now on: deputy and process table follow in the same step. */
  placed(pid: Pid, node: NodeId, incarnation: Incarnation): void;
  /** A move to this node is under way; null: none is. */
  moving(pid: Pid, target: NodeId | null): void;
  /** It could not be captured, for these reasons (names of stay reasons), which may be over by the next time. */
  heldBy(pid: Pid, reasons: readonly string[]): void;
  /** A move is done: the process runs at its new place. */
  moved(pid: Pid, stats: MoveStats): void;
  /** Exactly once for each process; everything else about it is over before this is called. */
  ended(pid: Pid, end: ProcessEnd): void;
  usage(pid: Pid, node: NodeId, usage: Usage): void;
}

/** What a move took. */
export interface MoveStats {
  /**
   * Milliseconds in which the process did not run: from the stop of its first thread at S until its code goes on at D, measured on the home
   * node's clock and so, where S or D are elsewhere, up to one message each way too long, never too short.
   */
  readonly freezeMs: number;
  /** From the start of the preparation to the start at D. */
  readonly totalMs: number;
  readonly imageBytes: number;
}

export type MoveResult =
  | { readonly ok: true; /** null: it was there already */ readonly stats: MoveStats | null }
  | { readonly ok: false; readonly code: ErrorCode; readonly reason: string };
