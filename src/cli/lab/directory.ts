/**
 * The directory of a lab, and how to know that its lab is dead. A lab that is killed cannot remove it, so the next one
 * does. Whether a lab lives is for the system to say, not a process id, which another process may have by then: the
 * lab listens on a socket in its directory, and a connection to a socket whose owner is gone is refused.
 */
import { lstatSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { SOCKET_PATH_BYTES } from '../../admin/socket-path.ts';
import { GodwitError } from '../../base/errors.ts';
import { reasonOf } from '../report.ts';

const PREFIX = 'godwit-lab-';
const OWNER = 'owner.sock';
/** Named pipes are no files: there, what a killed lab leaves stays. */
const hasSockets = process.platform !== 'win32';

export class LabDirectory {
  readonly path: string;
  readonly #owner: net.Server | null;

  private constructor(directory: string, owner: net.Server | null) {
    this.path = directory;
    this.#owner = owner;
  }

  /**
   * Makes one in the system's temporary directory, and removes those of dead labs there.
   * @param longestName of a socket that will be in it
   * @throws GodwitError `io`
   */
  static async make(longestName: string): Promise<LabDirectory> {
    const above = os.tmpdir();
    const longest = path.join(above, `${PREFIX}XXXXXX`, longestName);
    if (hasSockets && Buffer.byteLength(longest) > SOCKET_PATH_BYTES) {
      throw new GodwitError(
        'io',
        `the path of ${above} is too long for the sockets of a lab; set TMPDIR to a shorter one`,
      );
    }
    await removeDead(above);
    let directory: string | null = null;
    try {
      directory = mkdtempSync(path.join(above, PREFIX));
      return new LabDirectory(directory, hasSockets ? await listenAsOwner(directory) : null);
    } catch (error) {
      if (directory !== null) rmSync(directory, { recursive: true, force: true });
      const reason = reasonOf(error);
      throw new GodwitError('io', `cannot make a directory for the lab in ${above}: ${reason}; set TMPDIR to another`, {
        cause: error,
      });
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#owner?.close();
  }
}

/** Until it listens, a socket refuses as that of a dead lab does: it gets its name only then. */
async function listenAsOwner(directory: string): Promise<net.Server> {
  const early = path.join(directory, 'owner');
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(early, resolve);
  });
  renameSync(early, path.join(directory, OWNER));
  return server.unref();
}

/** Removes directories of this user's labs whose owner and nodes have all ended. What cannot be removed is left. */
async function removeDead(above: string): Promise<void> {
  if (!hasSockets) return;
  for (const name of namesIn(above)) {
    if (!name.startsWith(PREFIX)) continue;
    const directory = path.join(above, name);
    try {
      if (await isDead(directory)) rmSync(directory, { recursive: true, force: true });
    } catch {
      // Someone else was faster, or its owner has shut it.
    }
  }
}

/** Nothing of a directory that cannot be read: whether one can be made there is another question. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

async function isDead(directory: string): Promise<boolean> {
  const found = lstatSync(directory);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return false;
  const sockets = readdirSync(directory).filter((name) => name.endsWith('.sock'));
  // One that has not begun to listen yet, or none of ours.
  if (!sockets.includes(OWNER)) return false;
  const refused = await Promise.all(sockets.map((name) => refuses(path.join(directory, name))));
  return refused.every(Boolean);
}

function refuses(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}
