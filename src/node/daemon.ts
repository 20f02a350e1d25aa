/**
 * What a node offers to whoever administers it: the commands, the control socket and tests all speak to this
 * interface, whether the node runs in the same process (`godwit run` without a daemon) or behind a socket.
 * Pure types. They stand here, not in admin/, because imports only go down: node/ implements them, admin/ and cli/
 * use them.
 *
 * Fields of {@link ProcessInfo}, {@link NodeInfo} and {@link RunStats} are the JSON fields of the commands and
 * therefore a contract: they keep their names, in this spelling.
 *
 * Failures: a method rejects with a `GodwitError`. Signals are numbers as on Linux (1 SIGHUP, 9 SIGKILL, 15 SIGTERM).
 */
import type { FileStat } from '../abi/types.ts';
import type { FileEnd } from '../kernel/file-end.ts';
import type { Settled } from '../vfs/openfile.ts';

/** What the program's descriptor 0, 1 or 2 is on the user's side; decides the `fdstat` that the program sees. */
export const STDIO_KINDS = ['terminal', 'pipe', 'file', 'socket', 'null', 'closed', 'device'] as const;
/**
 * `null` is `/dev/null`; `device` any other device, such as `/dev/zero`. Nothing is `closed` on POSIX systems, where Node
 * opens `/dev/null` in the place of descriptors 0 to 2 that are closed when it starts.
 */
export type StdioKind = (typeof STDIO_KINDS)[number];

export const PROCESS_STATES = ['starting', 'running', 'blocked', 'stopped', 'moving', 'ended'] as const;
export const NODE_STATES = ['joining', 'up', 'unreachable', 'down', 'leaving'] as const;

export interface ProcessInfo {
  readonly pid: number;
  /** 0 if the parent is not a process of the cluster */
  readonly ppid: number;
  /** Node id of the home node. */
  readonly home: number;
  /** Node id of the node that it runs on. */
  readonly node: number;
  readonly state: (typeof PROCESS_STATES)[number];
  readonly threads: number;
  /** Bytes of linear memory. */
  readonly memory: number;
  readonly cpu_ms: number;
  readonly moves: number;
  /** Names of the stay reasons that hold now. */
  readonly stay: readonly string[];
  readonly command: readonly string[];
}

export interface NodeInfo {
  readonly id: number;
  readonly name: string;
  /** HOST:PORT that other nodes reach it at; empty for a node that does not listen. */
  readonly address: string;
  /** As Node's `process.arch` and `process.platform`. */
  readonly arch: string;
  readonly os: string;
  readonly state: (typeof NODE_STATES)[number];
  readonly cpus: number;
  /** Guests that want to compute, averaged, as in a Unix load average. */
  readonly load: number;
  /** Bytes. */
  readonly memory_total: number;
  readonly memory_free: number;
  /** Guests that run there. */
  readonly processes: number;
}

/** What `--stats` writes. Lists have one entry a move, in order. */
export interface RunStats {
  readonly moves: number;
  readonly freeze_ms: readonly number[];
  readonly image_bytes: readonly number[];
  readonly home_calls: number;
  readonly local_calls: number;
  /** By node name. */
  readonly cpu_ms: Readonly<Record<string, number>>;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A directory of this machine that the program is given. */
export interface DirectoryGrant {
  /** Absolute path on this machine. */
  readonly host: string;
  /** The name that the program sees. */
  readonly guest: string;
}

/** Its texts, but for addresses and the node, are any bytes (base/os-text.ts). */
export interface RunSpec {
  /** Absolute path of the module, on the node's machine. The node opens it, with the node's rights. */
  readonly program: string;
  /** The program's arguments, argv[0] first: not empty. */
  readonly args: readonly string[];
  /** `NAME=value` entries. */
  readonly env: readonly string[];
  /** Absolute path: the working directory, as far as a program can have one. */
  readonly cwd: string;
  /** Permission bits that files which the program makes do not get, 0 to LIMITS.umask. */
  readonly umask: number;
  readonly dirs: readonly DirectoryGrant[];
  /** Addresses (HOST:PORT, or a port on loopback) of sockets to listen on and pass in, in this order. */
  readonly listen: readonly string[];
  /** Sets the stay reason `user_lock`. */
  readonly pin: boolean;
  /** Runs on without the one who started it: input is at its end, output goes to the node's log. */
  readonly detach: boolean;
  /** Move it to the next node in turn at this interval, in microseconds. */
  readonly hopMicros: number | null;
  /** Name or id of the node to start it on; null: here. */
  readonly node: string | null;
}

/**
 * One standard stream of the user's side as the node sees it. Every operation answers through its callback exactly
 * once, never from inside the call. At most one `read` and one `write` are under way at a time; reads and writes of
 * at most LIMITS.pipeBytes.
 *
 * Nothing is read before `read` asks for it, so input that the program does not take is left to whoever comes next
 * (`(godwit run a; cat)`). A read cannot be taken back: bytes that arrive for one whose reader has gone are the
 * caller's to keep for the next reader. A write answers when the operating system has taken the bytes, so that a
 * slow reader slows the program down.
 */
export interface StdioPort {
  readonly kind: StdioKind;
  /** witx `fdflags` at the start (append, nonblock, ...). */
  readonly flags: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Only for kind `file`. */
  readonly file?: FileEnd | undefined;
  /** At most `max` bytes, at least one; an empty result is the end of the input. */
  read(max: number, done: (result: Settled<Uint8Array>) => void): void;
  /** The read that is under way, if there is one, answers with what is there now, or the errno `again`. */
  hurry(): void;
  /** Bytes written, possibly fewer than given. The errno `pipe`: no one reads any more. */
  write(bytes: Uint8Array, done: (result: Settled<number>) => void): void;
  /** Only for kind `file`, otherwise the errno `spipe`. `whence` as in witx. The new position from the start. */
  seek(offset: bigint, whence: number, done: (result: Settled<bigint>) => void): void;
  stat(done: (result: Settled<FileStat>) => void): void;
}

export interface RunIo {
  readonly stdin: StdioPort;
  readonly stdout: StdioPort;
  readonly stderr: StdioPort;
  /** Of the controlling terminal, if one of the three is a terminal. */
  readonly terminal: TerminalSize | null;
}

/** How a process ended. `message` is for people: the trap and where it was, or why Godwit ended it; null: none. */
export type ProcessEnd =
  | { readonly how: 'exited'; readonly code: number; readonly message: string | null }
  | { readonly how: 'signalled'; readonly signal: number; readonly message: string | null };

/** A process that was started for someone who waits for it. */
export interface RunHandle {
  readonly pid: number;
  /** Sends it a signal. Harmless after its end. */
  signal(signal: number): void;
  resize(size: TerminalSize): void;
  /** Its end. Rejects only if Godwit itself lost the process. All output has been written when it resolves. */
  readonly ended: Promise<{ readonly end: ProcessEnd; readonly stats: RunStats }>;
}

export interface MoveResult {
  /** Id and name of the node that it runs on now. */
  readonly node: number;
  readonly name: string;
  /** False if it was there already and nothing was done. */
  readonly moved: boolean;
  readonly freeze_ms: number;
  readonly total_ms: number;
  readonly image_bytes: number;
}

export interface JoinToken {
  readonly token: string;
  /** HOST:PORT to give to `--join`. */
  readonly address: string;
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly expires: number;
}

export interface LogQuery {
  /** Only lines about this process (its output included, if it is detached); null: the node's own log. */
  readonly pid: number | null;
  /** Only lines behind this cursor; 0: from the oldest that is kept. */
  readonly after: number;
  /** If there is none yet, answer when there is one, or when no more can come. */
  readonly wait: boolean;
}

export interface LogPage {
  /**
   * Lines between the cursor of the query and these that are not kept any more. Always 0 of a process that is not
   * detached: the node's own log, which may say something about it, does not count its lines by processes.
   */
  readonly missing: number;
  readonly lines: readonly LogLine[];
  /** The cursor to go on from. */
  readonly next: number;
  /** The cursor behind the newest line that there is now: where a reader who does not follow is through. */
  readonly last: number;
  /** No more can come: the process has ended and all is told. */
  readonly complete: boolean;
}

export interface LogLine {
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly time: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'stdout' | 'stderr';
  /** Without the newline at its end; output that is not UTF-8 has U+FFFD in its place. */
  readonly text: string;
}

export interface NodeIdentity {
  readonly id: number;
  readonly name: string;
  /** HOST:PORT that it listens on with the real port; empty if it does not listen. */
  readonly address: string;
}

export interface Daemon {
  readonly self: NodeIdentity;
  /** @throws GodwitError `not_found`, `not_runnable`, `not_a_module`, `unknown_import`, `unknown_node`, ... before anything ran */
  run(spec: RunSpec, io: RunIo): Promise<RunHandle>;
  ps(): Promise<readonly ProcessInfo[]>;
  nodes(): Promise<readonly NodeInfo[]>;
  /**
   * Moves a process and waits for the end of the move.
   * @param target a node's name or id, or `home`
   * @throws GodwitError `unknown_process`, `unknown_node`, `cannot_move`, `move_refused`, `move_failed`: it runs on where it was
   */
  migrate(pid: number, target: string): Promise<MoveResult>;
  /** @throws GodwitError `unknown_process` */
  kill(pid: number, signal: number): Promise<void>;
  /**
   * @param gone nobody waits any more: nothing is kept for the answer, which need not come
   * @throws GodwitError `unknown_process` also if it ended so long ago that no one knows it any more
   */
  wait(pid: number, gone?: AbortSignal): Promise<ProcessEnd>;
  /** @param gone as for `wait` */
  logs(query: LogQuery, gone?: AbortSignal): Promise<LogPage>;
  token(): Promise<JoinToken>;
  /** Leaves the cluster in order and ends what runs here. Resolves when all is down; a second call joins the first. */
  shutdown(): Promise<void>;
  /** Resolves when the node is down, whoever wanted it; rejects if the node failed. */
  readonly ended: Promise<void>;
}

export interface NodeOptions {
  /** null: the host name, made unique by the cluster */
  readonly name: string | null;
  /** HOST:PORT, port 0 for any; null: the default */
  readonly listen: string | null;
  readonly join: { readonly address: string; readonly token: string } | null;
  /** State directory; null: the user's default */
  readonly state: string | null;
}
