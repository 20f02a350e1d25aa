/**
 * The kinds of parameters and results that system calls have: the WebAssembly values that each takes, and the
 * TypeScript value that the kernel sees. Buffers are views: of guest memory where the guest is at home, of a message
 * where it is not; the implementation of a call cannot tell and need not care.
 */
import type { Event, FdStat, FileStat, Prestat, Subscription } from './types.ts';

/** What the implementation of a call receives for each kind of parameter. */
export interface ParamTypes {
  u8: number;
  u16: number;
  u32: number;
  u64: bigint;
  s64: bigint;
  /** A descriptor number, any u32: whether it is open is for the kernel to say. */
  fd: number;
  /** (pointer, length): a path or link text in UTF-8, without NUL. Not UTF-8 is EILSEQ before the call is made. */
  path: string;
  /** (pointer, count of iovecs): bytes that the call reads. */
  inBuffers: readonly Uint8Array[];
  /** (pointer, count of iovecs): room that the call fills from the start, as far as its `count` result says. */
  outBuffers: readonly Uint8Array[];
  /** (pointer, length): room for bytes. */
  outBytes: Uint8Array;
  /** (pointer): an array of pointers, one a string; with `stringBytes` behind it. Only for `here` calls. */
  stringPointers: number;
  stringBytes: number;
  /** (pointer): the subscriptions of poll_oneoff; their number is the `pollCount` parameter. */
  subscriptions: readonly Subscription[];
  /** (pointer): room for the events of poll_oneoff; the call returns them in the result `events`. */
  events: undefined;
  pollCount: number;
}

/** What the implementation returns for each kind of result; written through the call's out-pointers. */
export interface ResultTypes {
  size: number;
  u16: number;
  u64: bigint;
  fd: number;
  fdstat: FdStat;
  filestat: FileStat;
  prestat: Prestat;
}

export type ParamKind = keyof ParamTypes;
export type ResultKind = keyof ResultTypes;

export interface CallSpec {
  readonly params: Readonly<Record<string, ParamKind>>;
  readonly results: Readonly<Record<string, ResultKind>>;
  readonly runs: 'here' | 'home' | 'descriptor';
  readonly blocks: boolean;
}

/** The arguments of a call as its implementation gets them. */
export type Args<S extends CallSpec> = { readonly [K in keyof S['params']]: ParamTypes[S['params'][K]] };

/** The results of a call as its implementation returns them. A call with `events` returns those as well. */
export type Results<S extends CallSpec> = {
  readonly [K in keyof S['results']]: ResultTypes[S['results'][K]];
} & ('events' extends S['params'][keyof S['params']] ? { readonly events: readonly Event[] } : unknown);
