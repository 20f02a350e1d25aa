/** What the standard descriptors of this command are: kind, flags and position. */
import { fstatSync, readFileSync, statSync } from 'node:fs';
import tty from 'node:tty';
import { FdFlags } from '../../abi/types.ts';
import type { StdioKind } from '../../node/daemon.ts';

export interface DescriptorInfo {
  readonly kind: StdioKind;
  /** witx `fdflags` */
  readonly flags: number;
  readonly readable: boolean;
  readonly writable: boolean;
}

/**
 * Open flags of Linux's generic ABI, which /proc shows; x86-64 and arm64 agree on these. O_NONBLOCK is left out: libuv
 * sets it on pipes for its own use, in this process or in another Node that has the same pipe, and a program that found
 * it set would get EAGAIN and lose output.
 */
const O_ACCMODE = 0o3;
const O_WRONLY = 0o1;
const O_RDONLY = 0o0;
const LINUX_FLAGS: readonly (readonly [number, number])[] = [
  [0o2000, FdFlags.append],
  [0o10000, FdFlags.dsync],
  [0o4010000, FdFlags.sync],
];

/** @param fd 0, 1 or 2 */
export function describeDescriptor(fd: number): DescriptorInfo {
  const kind = kindOf(fd);
  const open = linuxInfo(fd, 'flags');
  if (open === null) {
    // No way to ask: descriptors are used as their numbers promise; a terminal is commonly open for both.
    const both = kind === 'terminal';
    return { kind, flags: 0, readable: both || fd === 0, writable: both || fd !== 0 };
  }
  const mode = Number.parseInt(open, 8);
  const flags = LINUX_FLAGS.filter(([bits]) => (mode & bits) === bits).reduce((all, [, flag]) => all | flag, 0);
  const access = mode & O_ACCMODE;
  return { kind, flags, readable: access !== O_WRONLY, writable: access !== O_RDONLY };
}

function kindOf(fd: number): StdioKind {
  try {
    const stat = fstatSync(fd);
    if (stat.isFIFO()) return 'pipe';
    if (stat.isSocket()) return 'socket';
    if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return 'file';
    if (tty.isatty(fd)) return 'terminal';
    const nowhere = process.platform === 'win32' ? null : statSync('/dev/null', { throwIfNoEntry: false });
    return nowhere && nowhere.rdev === stat.rdev ? 'null' : 'device';
  } catch {
    return 'closed';
  }
}

/** The position of an open file as the operating system keeps it; null where it does not say. */
export function systemPosition(fd: number): bigint | null {
  const position = linuxInfo(fd, 'pos');
  return position === null ? null : BigInt(position);
}

function linuxInfo(fd: number, field: string): string | null {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return new RegExp(`^${field}:\\s*(\\d+)$`, 'm').exec(info)?.[1] ?? null;
  } catch {
    return null;
  }
}
