/**
 * The records of preview 1 as they lie in guest memory. Offsets and sizes are not written down but follow from the
 * fields by the rule of the specification (each field at the next multiple of its size, the whole rounded up to the
 * largest of them); layout.test.ts compares them with the figures of the witx documents.
 *
 * Nothing here checks bounds: abi/decode.ts has done that once. A field left out of `read` (padding, the precision
 * of a clock subscription) has no meaning for Godwit.
 *
 * Specification: witx/typenames.witx, `fdstat`, `filestat`, `prestat`, `dirent`, `subscription`, `event`, `iovec`.
 */
import type { Event, FdStat, FileStat, FileType, Prestat, Subscription } from './types.ts';
import { EventType, SubClockFlags } from './types.ts';

type Width = 'u8' | 'u16' | 'u32' | 'u64';

/** How each width is read and written, little-endian. */
const ACCESS: Readonly<Record<Width, Access>> = {
  u8: { bytes: 1, read: (view, at) => view.getUint8(at), write: (view, at, v) => view.setUint8(at, Number(v)) },
  u16: {
    bytes: 2,
    read: (view, at) => view.getUint16(at, true),
    write: (view, at, v) => view.setUint16(at, Number(v), true),
  },
  u32: {
    bytes: 4,
    read: (view, at) => view.getUint32(at, true),
    write: (view, at, v) => view.setUint32(at, Number(v), true),
  },
  u64: {
    bytes: 8,
    read: (view, at) => view.getBigUint64(at, true),
    write: (view, at, v) => view.setBigUint64(at, BigInt(v), true),
  },
};

interface Access {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint;
  readonly write: (view: DataView, at: number, value: number | bigint) => void;
}

type Value<W extends Width> = W extends 'u64' ? bigint : number;
type Values<F extends Readonly<Record<string, Width>>> = { -readonly [K in keyof F]: Value<F[K]> };

export interface Layout<T> {
  /** Bytes that one record takes. */
  readonly size: number;
  /** The record's place must be a multiple of this, says the specification; Godwit does not insist. */
  readonly align: number;
  readonly offsets: Readonly<Record<string, number>>;
  readonly read: (view: DataView, at: number) => T;
  readonly write: (view: DataView, at: number, value: T) => void;
}

/** The layout of plain fields one after the other. */
function plain<const F extends Readonly<Record<string, Width>>>(fields: F): Layout<Values<F>> {
  let end = 0;
  let align = 1;
  const offsets: Record<string, number> = {};
  const steps: { readonly name: string; readonly access: Access; readonly at: number }[] = [];
  for (const [name, width] of Object.entries(fields)) {
    const access = ACCESS[width];
    const { bytes } = access;
    const at = Math.ceil(end / bytes) * bytes;
    offsets[name] = at;
    steps.push({ name, access, at });
    end = at + bytes;
    align = Math.max(align, bytes);
  }
  return {
    size: Math.ceil(end / align) * align,
    align,
    offsets,
    read(view, at) {
      const value: Record<string, number | bigint> = {};
      for (const step of steps) value[step.name] = step.access.read(view, at + step.at);
      // Each field was read with its width, which is what Values<F> says.
      return value as Values<F>;
    },
    write(view, at, value) {
      for (const step of steps) step.access.write(view, at + step.at, value[step.name] ?? 0);
    },
  };
}

/** A pointer and a length: both `iovec` and `ciovec`. */
export const IOVEC = plain({ pointer: 'u32', length: 'u32' });

const fdstat = plain({ filetype: 'u8', flags: 'u16', rightsBase: 'u64', rightsInheriting: 'u64' });
export const FDSTAT: Layout<FdStat> = {
  ...fdstat,
  read: (view, at) => typed(fdstat.read(view, at)),
};

const filestat = plain({
  dev: 'u64',
  ino: 'u64',
  filetype: 'u8',
  nlink: 'u64',
  size: 'u64',
  atim: 'u64',
  mtim: 'u64',
  ctim: 'u64',
});
export const FILESTAT: Layout<FileStat> = {
  ...filestat,
  read: (view, at) => typed(filestat.read(view, at)),
};

/** A record whose `filetype` is taken as one: {@link isFileType} is for whoever reads it from a peer. */
function typed<T extends { filetype: number }>(value: T): Omit<T, 'filetype'> & { filetype: FileType } {
  return value as T & { filetype: FileType };
}

/** A union of one case so far, the length of a directory's name; a socket has the length 0. */
export const PRESTAT: Layout<Prestat> = plain({ tag: 'u8', nameLength: 'u32' });

/** The head of an entry of fd_readdir; the name's bytes follow it, without NUL and without padding. */
export const DIRENT = plain({ next: 'u64', ino: 'u64', nameLength: 'u32', filetype: 'u8' });

export const EVENT: Layout<Event> = plain({ userdata: 'u64', error: 'u16', type: 'u8', bytes: 'u64', flags: 'u16' });

/** The union's larger case, flat: of the other one, the descriptor lies where `clock` does. */
const subscription = plain({
  userdata: 'u64',
  type: 'u8',
  caseStart: 'u64',
  timeout: 'u64',
  precision: 'u64',
  flags: 'u16',
});

/** `read` gives null for a case or a flag that the specification does not have. */
export const SUBSCRIPTION: Layout<Subscription | null> = {
  ...subscription,
  read(view, at) {
    const raw = subscription.read(view, at);
    const { userdata } = raw;
    const handle = view.getUint32(at + CASE_AT, true);
    switch (raw.type) {
      case EventType.clock:
        if ((raw.flags & ~SubClockFlags.abstime) !== 0) return null;
        return { type: 'clock', userdata, clock: handle, timeout: raw.timeout, abstime: raw.flags !== 0 };
      case EventType.fdRead:
        return { type: 'fdRead', userdata, fd: handle };
      case EventType.fdWrite:
        return { type: 'fdWrite', userdata, fd: handle };
      default:
        return null;
    }
  },
  write(view, at, value) {
    const nothing = { userdata: 0n, type: 0xff, caseStart: 0n, timeout: 0n, precision: 0n, flags: 0 };
    if (value === null) return subscription.write(view, at, nothing);
    const { userdata } = value;
    if (value.type === 'clock') {
      subscription.write(view, at, {
        userdata,
        type: EventType.clock,
        caseStart: BigInt(value.clock),
        timeout: value.timeout,
        precision: 0n,
        flags: value.abstime ? SubClockFlags.abstime : 0,
      });
    } else {
      const type = EventType[value.type];
      subscription.write(view, at, { ...nothing, userdata, type, caseStart: BigInt(value.fd) });
    }
  },
};
const CASE_AT = 16;
