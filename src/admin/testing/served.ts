/** A fake node behind a real control socket, in a directory of its own that goes away with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { silentLog } from '../../base/env.ts';
import { type AdminClient, connectAdmin } from '../client.ts';
import { serveAdmin } from '../server.ts';
import { FakeDaemon } from './fake-daemon.ts';

export interface Served {
  readonly daemon: FakeDaemon;
  readonly directory: string;
  readonly socketPath: string;
  /** A new client; closed with the test. */
  readonly connect: () => Promise<AdminClient>;
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'godwit-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function serveFake(t: TestContext): Promise<Served> {
  const directory = temporaryDirectory(t);
  const socketPath = path.join(directory, 'control.sock');
  const daemon = new FakeDaemon();
  const server = await serveAdmin(daemon, socketPath, silentLog);
  // As "godwit up" does.
  const down = daemon.ended.then(() => server.close());
  t.after(async () => {
    await daemon.shutdown();
    await down;
  });
  return {
    daemon,
    directory,
    socketPath,
    async connect() {
      const client = await connectAdmin(socketPath);
      t.after(() => client.close());
      return client;
    },
  };
}
