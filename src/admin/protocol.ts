/**
 * The messages of a node's control socket, as tables: `godwit` (the client) on one side, the node (the daemon) on the
 * other, both of one user on one machine. docs/PROTOCOL.md is generated from these tables.
 *
 * A connection starts with `hello` and `welcome`. Then the client makes calls, each with an id that its answer
 * carries, and at most one `run`, which binds a process to the connection: the connection's end is the terminal's
 * hangup. While it runs, the *daemon* asks for input and output operations on the client's standard streams, each
 * with an id, and the client answers: nothing is read before the program wants it, and a slow reader slows it down.
 *
 * Frame: u32 length of what follows, u8 kind (position in the table of its direction), then the message's fields.
 */
import { ERRNO, type Errno } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import { ByteReader, ByteWriter, setU32 } from '../base/bytes.ts';
import { ERROR_CODES, type ErrorCode, GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import {
  type Carried,
  type Codec,
  bool,
  branded,
  bytes,
  decode,
  f64,
  list,
  oneOf,
  osText,
  optional,
  str,
  struct,
  u16,
  u32,
  u64,
  u8,
  within,
} from '../base/schema.ts';
import type { NewTime } from '../vfs/openfile.ts';
import { joinToken, mapped, nodeInfo, processEnd, processInfo } from '../node/cluster/codecs.ts';
import { type RunStats, STDIO_KINDS } from '../node/daemon.ts';

/** Rises when a message changes its meaning or fields. Both sides must have the same: they are of one installation. */
export const CONTROL_VERSION = 6;
/** The first field of `hello`: tells a Godwit client from whatever else found the socket. */
export const CONTROL_MAGIC = 0x77_64_6f_67;

const s64: Codec<bigint> = {
  type: 's64',
  write: (w, v) => w.u64(BigInt.asUintN(64, v)),
  read: (r) => BigInt.asIntN(64, r.u64()),
};

const KNOWN_ERRNOS: ReadonlySet<number> = new Set(Object.values(ERRNO));
const errno: Codec<Errno> = branded(u16, 'errno', (n) => {
  if (!KNOWN_ERRNOS.has(n)) throw new RangeError(`not an errno: ${n}`);
  return n as Errno;
});

const FILE_TYPES: ReadonlySet<number> = new Set(Object.values(FileType));
const filetype: Codec<FileType> = branded(u8, 'filetype', (n) => {
  if (!FILE_TYPES.has(n)) throw new RangeError(`not a filetype: ${n}`);
  return n as FileType;
});

const errorCode = oneOf(...(Object.keys(ERROR_CODES) as ErrorCode[]));

const runStats: Codec<RunStats> = mapped(
  struct({
    moves: u32,
    freeze_ms: list(f64),
    image_bytes: list(f64),
    home_calls: f64,
    local_calls: f64,
    cpu_ms: list(struct({ node: str, ms: f64 })),
  }),
  (stats) => ({ ...stats, cpu_ms: Object.entries(stats.cpu_ms).map(([node, ms]) => ({ node, ms })) }),
  // fromEntries defines own properties: a node called __proto__ does no harm.
  (stats) => ({ ...stats, cpu_ms: Object.fromEntries(stats.cpu_ms.map(({ node, ms }) => [node, ms])) }),
);

const identity = struct({ id: u32, name: str, address: str });
const terminalSize = struct({ columns: u16, rows: u16 });

const runSpec = struct({
  program: osText,
  args: list(osText),
  env: list(osText),
  cwd: osText,
  umask: within(u16, 0, LIMITS.umask),
  dirs: list(struct({ host: osText, guest: osText }), LIMITS.descriptorsPerProcess),
  listen: list(str, LIMITS.descriptorsPerProcess),
  pin: bool,
  detach: bool,
  hopMicros: optional(within(f64, 1, LIMITS.hopMicros)),
  node: optional(str),
});

/** witx `fdflags` and what the descriptor is open for, as the client found them. */
const stdio = struct({ kind: oneOf(...STDIO_KINDS), flags: u16, readable: bool, writable: bool });

const fileStat = struct({
  dev: u64,
  ino: u64,
  filetype,
  nlink: u64,
  size: u64,
  atim: u64,
  mtim: u64,
  ctim: u64,
});

const newTime: Codec<NewTime> = mapped(
  struct({ is: oneOf('unchanged', 'now', 'given'), time: u64 }),
  (time) => (typeof time === 'bigint' ? { is: 'given', time } : { is: time === null ? 'unchanged' : 'now', time: 0n }),
  ({ is, time }) => (is === 'given' ? time : is === 'now' ? is : null),
);

/** A call of the client: what it carries and what its answer carries. */
const call = <A, R>(args: Codec<A>, result: Codec<R>) => ({ args, result });
const nothing = struct({});

export const CALLS = {
  ps: call(nothing, list(processInfo)),
  nodes: call(nothing, list(nodeInfo)),
  migrate: call(
    struct({ pid: u32, target: str }),
    struct({ node: u32, name: str, moved: bool, freeze_ms: f64, total_ms: f64, image_bytes: f64 }),
  ),
  kill: call(struct({ pid: u32, signal: u8 }), nothing),
  wait: call(struct({ pid: u32 }), processEnd),
  logs: call(
    struct({ pid: optional(u32), after: f64, wait: bool }),
    struct({
      lines: list(
        struct({ time: f64, level: oneOf('debug', 'info', 'warn', 'error', 'stdout', 'stderr'), text: str }),
        LIMITS.logPageLines,
      ),
      missing: f64,
      next: f64,
      last: f64,
      complete: bool,
    }),
  ),
  token: call(nothing, joinToken),
  /** `pid`: of the operating system, so that the client can wait until the node's process is gone. */
  shutdown: call(nothing, struct({ pid: u32 })),
  /** Shows that the node still reacts. */
  ping: call(nothing, nothing),
} as const;

export type CallName = keyof typeof CALLS;
export type CallArgs<N extends CallName> = Carried<(typeof CALLS)[N]['args']>;
export type CallResult<N extends CallName> = Carried<(typeof CALLS)[N]['result']>;
export const CALL_NAMES = Object.keys(CALLS) as CallName[];

export interface CallCodecs<N extends CallName> {
  readonly args: Codec<CallArgs<N>>;
  readonly result: Codec<CallResult<N>>;
}

/** The codecs of a call; the table's entry for N is typed by N, which indexing with a type parameter loses. */
export function callCodecs<N extends CallName>(method: N): CallCodecs<N> {
  return CALLS[method] as unknown as CallCodecs<N>;
}

const callBody = bytes(LIMITS.controlFrameBytes);
const chunk = bytes(LIMITS.pipeBytes);
/** 0 stdin, 1 stdout, 2 stderr */
const fd = oneOf('stdin', 'stdout', 'stderr');
export type StdioName = Carried<typeof fd>;

/** Client to daemon. New kinds go to the end. */
export const TO_DAEMON = {
  hello: struct({ magic: u32, version: u16 }),
  /** `body`: the arguments as the call's own codec writes them. Ids are the client's choice and are answered once. */
  call: struct({ id: u32, method: oneOf(...CALL_NAMES), body: callBody }),
  /** Answered by `started` or, with id 0, by `failure`. `terminal`: if one of the three is one. */
  run: struct({
    spec: runSpec,
    stdio: struct({ stdin: stdio, stdout: stdio, stderr: stdio }),
    terminal: optional(terminalSize),
  }),
  signal: struct({ signal: u8 }),
  resize: terminalSize,
  /** Answers to the daemon's operations, with their ids. `data` without bytes is the end of the input. */
  data: struct({ id: u32, bytes: chunk }),
  count: struct({ id: u32, count: u32 }),
  position: struct({ id: u32, position: u64 }),
  fileStat: struct({ id: u32, stat: fileStat }),
  failed: struct({ id: u32, errno }),
  done: struct({ id: u32 }),
} as const;

/** Daemon to client. New kinds go to the end. */
export const TO_CLIENT = {
  welcome: struct({ version: u16, self: identity }),
  answer: struct({ id: u32, body: callBody }),
  /** A call or, with id 0, the hello or the run failed. */
  failure: struct({ id: u32, code: errorCode, message: str }),
  started: struct({ pid: u32 }),
  /** The program wants at most `max` bytes of input. */
  pull: struct({ id: u32, fd, max: u32 }),
  write: struct({ id: u32, fd, bytes: chunk }),
  seek: struct({ id: u32, fd, offset: s64, whence: u8 }),
  stat: struct({ id: u32, fd }),
  ended: struct({ end: processEnd, stats: runStats }),
  /** That pull may wait no longer: it is answered with what is there now, or fails with EAGAIN. */
  hurry: struct({ id: u32, fd }),
  // What can be done with a regular file only, see `FileEnd`.
  readAt: struct({ id: u32, fd, offset: u64, max: u32 }),
  writeAt: struct({ id: u32, fd, offset: u64, bytes: chunk }),
  sync: struct({ id: u32, fd, dataOnly: bool }),
  setSize: struct({ id: u32, fd, size: u64 }),
  setTimes: struct({ id: u32, fd, atim: newTime, mtim: newTime }),
  allocate: struct({ id: u32, fd, offset: u64, length: u64 }),
} as const;

type Table = Readonly<Record<string, Codec<unknown>>>;
/** One message of a direction: its kind and its fields. */
export type Message<T extends Table> = { [K in keyof T & string]: { readonly kind: K } & Carried<T[K]> }[keyof T &
  string];
export type ToDaemon = Message<typeof TO_DAEMON>;
export type ToClient = Message<typeof TO_CLIENT>;

/** The bytes of a frame, its length included. @throws GodwitError `limit` if it would be too long */
function encodeFrame<T extends Table>(table: T, message: Message<T>): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u32(0);
  writer.u8(Object.keys(table).indexOf(message.kind));
  table[message.kind]!.write(writer, message);
  const frame = writer.done();
  const length = frame.length - 4;
  if (length > LIMITS.controlFrameBytes) {
    throw new GodwitError('limit', `a control message of ${length} bytes, ${LIMITS.controlFrameBytes} are allowed`);
  }
  setU32(frame, 0, length);
  return frame;
}

/** @param payload a frame without its length. @throws GodwitError `protocol`; the message's bytes are views of it */
function decodeFrame<T extends Table>(table: T, payload: Uint8Array): Message<T> {
  const reader = new ByteReader(payload);
  const number = reader.u8();
  const kind = Object.keys(table)[number];
  if (kind === undefined) throw new GodwitError('protocol', `message kind ${number} is not known`);
  const fields = decode(table[kind]!, reader) as object;
  return { ...fields, kind } as Message<T>;
}

export const encodeToDaemon = (message: ToDaemon): Uint8Array<ArrayBuffer> => encodeFrame(TO_DAEMON, message);
export const encodeToClient = (message: ToClient): Uint8Array<ArrayBuffer> => encodeFrame(TO_CLIENT, message);
export const decodeToDaemon = (payload: Uint8Array): ToDaemon => decodeFrame(TO_DAEMON, payload);
export const decodeToClient = (payload: Uint8Array): ToClient => decodeFrame(TO_CLIENT, payload);

/** Cuts a stream of bytes into frames, however it arrives. Holds at most one frame. */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #held = 0;

  /**
   * Takes bytes and yields the frames that they complete, without their length. The bytes must not be reused.
   * @throws GodwitError `protocol` on a length that no frame has
   */
  *push(received: Uint8Array): Generator<Uint8Array> {
    this.#parts.push(received);
    this.#held += received.length;
    while (this.#held >= 4) {
      const length = new ByteReader(this.#prefix(4)).u32();
      if (length === 0 || length > LIMITS.controlFrameBytes) {
        throw new GodwitError('protocol', `a frame of ${length} bytes, 1 to ${LIMITS.controlFrameBytes} are allowed`);
      }
      if (this.#held < 4 + length) return;
      const whole = this.#prefix(4 + length);
      this.#parts[0] = whole.subarray(4 + length);
      if (whole.length === 4 + length) this.#parts.shift();
      this.#held -= 4 + length;
      yield whole.subarray(4, 4 + length);
    }
  }

  /** The first part, made at least `size` long: parts are joined only when a frame is complete, not once a packet. */
  #prefix(size: number): Uint8Array {
    const first = this.#parts[0]!;
    if (first.length >= size) return first;
    const joined = new Uint8Array(this.#held);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts = [joined];
    return joined;
  }
}
