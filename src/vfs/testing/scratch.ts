/** Directories for tests, held by descriptor and by name, and short words for what is done in them. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { errnoName } from '../../abi/errno.ts';
import { OFlags } from '../../abi/types.ts';
import type { FileType } from '../../abi/types.ts';
import { HostDirectory } from '../hostdirectory.ts';
import { HostFile } from '../hostfile.ts';
import { ErrnoError } from '../openfile.ts';
import type { Directory, OpenFile, OpenOptions } from '../openfile.ts';
import { canHold, openSpot } from '../spot.ts';

/** What the tests do with both ways of holding directories. */
export interface Scratch {
  /** The directory under test. */
  readonly root: HostDirectory;
  /** Its path on the host, and a directory beside it that no guest path may reach. */
  readonly inside: string;
  readonly outside: string;
}

export function scratch(t: TestContext, held: boolean): Scratch {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-vfs-'));
  const inside = path.join(base, 'inside');
  const outside = path.join(base, 'outside');
  fs.mkdirSync(inside);
  fs.mkdirSync(outside);
  fs.writeFileSync(path.join(outside, 'secret'), 'secret');
  const root = new HostDirectory(openSpot(inside, held), null);
  const descriptors = countDescriptors();
  t.after(() => {
    const left = countDescriptors();
    root.close();
    fs.rmSync(base, { recursive: true });
    // Every directory that a resolution entered has been let go again.
    assert.equal(left, descriptors, 'descriptors left open');
  });
  return { root, inside, outside };
}

function countDescriptors(): number {
  return canHold ? fs.readdirSync('/proc/self/fd').length : 0;
}

/** Runs a test with directories held by descriptor, where that can be, and by name. */
export function each(name: string, body: (scratch: Scratch) => void | Promise<void>): void {
  for (const held of canHold ? [true, false] : [false]) {
    test(`${name} (${held ? 'held' : 'by name'})`, (t) => body(scratch(t, held)));
  }
}

export function fails(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => {
    if (!(error instanceof ErrnoError)) throw error;
    const names = errno.split('|');
    if (!names.includes(errnoName(error.errno))) assert.fail(`${errnoName(error.errno)}, not ${errno}`);
    return true;
  });
}

export const READ: OpenOptions = {
  read: true,
  write: false,
  create: false,
  exclusive: false,
  truncate: false,
  directory: false,
  followFinalLink: false,
  flags: 0,
};
/** Options from witx `oflags`. */
export function options(oflags: number, more: Partial<OpenOptions> = {}): OpenOptions {
  return {
    ...READ,
    create: (oflags & OFlags.creat) !== 0,
    directory: (oflags & OFlags.directory) !== 0,
    exclusive: (oflags & OFlags.excl) !== 0,
    truncate: (oflags & OFlags.trunc) !== 0,
    ...more,
  };
}
export const FOLLOW = { followFinalLink: true };

export function use<T>(file: OpenFile, what: (file: OpenFile) => T): T {
  try {
    return what(file);
  } finally {
    file.close();
  }
}

export function touch(directory: Directory, name: string): void {
  const file = directory.open(name, options(OFlags.creat, { write: true }));
  assert.ok(file instanceof HostFile);
  file.close();
}

export function openDirectory(directory: Directory, name: string): HostDirectory {
  const opened = directory.open(name, options(OFlags.directory));
  assert.ok(opened instanceof HostDirectory);
  return opened;
}

export function typeOf(directory: Directory, name: string, oflags = 0, more: Partial<OpenOptions> = {}): FileType {
  const file = directory.open(name, options(oflags, more));
  assert.ok('filetype' in file);
  return use(file, (file) => file.filetype);
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
