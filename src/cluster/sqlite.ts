/**
 * The store of a node's cluster state in its state directory: one SQLite file, one row for each part, encoded and
 * checked by the part's codec. Write-ahead log with full synchronisation, so that what has been saved survives a power
 * failure; locked for as long as it is open, so that a second daemon on the same directory notices.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ByteReader } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import { GodwitError } from '../base/errors.ts';
import type { Codec } from '../base/schema.ts';
import { decode, encode } from '../base/schema.ts';
import type { ClusterState, MembershipStore } from './store.ts';
import { STATE } from './store.ts';

/** The layout of the file; another one is refused instead of being guessed at. */
const LAYOUT = 1;

const PARTS = Object.keys(STATE) as readonly (keyof typeof STATE)[];

const RIGHTS = 'its permissions, and those of its directory, must let you write it; or choose another --state';
const RESTORE = 'restore it, or remove it and join again';
const DISK = 'see whether the disk is full or damaged, or choose another --state';

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that mean something to the user, and what helps. */
const REASONS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ['state_in_use', 'another godwit daemon uses it: stop that one with "godwit down", or choose another --state'],
  8: ['io', `it cannot be written: ${RIGHTS}`],
  10: ['io', `it cannot be written: ${DISK}`],
  11: ['corrupt', `the file is damaged: ${RESTORE}`],
  13: ['io', 'the disk is full: free some of it, or choose another --state'],
  14: ['io', `it cannot be opened: ${RIGHTS}`],
  26: ['corrupt', `the file is not a database: ${RESTORE}`],
};

/** The system's codes where it refuses the file before SQLite sees it; its own message has the path once more. */
const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  EACCES: `permission denied: ${RIGHTS}`,
  EPERM: `permission denied: ${RIGHTS}`,
  EROFS: 'the file system is read-only: choose another --state',
  EISDIR: 'it is a directory: remove it, or choose another --state',
  ENOSPC: 'the disk is full: free some of it, or choose another --state',
  EDQUOT: 'the quota of disk space is used up: free some of it, or choose another --state',
};

/** @param error of SQLite (with `errcode`) or of the system */
function reasonOf(error: unknown): readonly [code: ErrorCode, reason: string] {
  const { errcode, code, message } = error as NodeJS.ErrnoException & { readonly errcode?: number };
  const known = REASONS[(errcode ?? 0) & 0xff];
  return known ?? ['io', SYSTEM_REASONS[code ?? ''] ?? `${code ?? message}: choose another --state`];
}

export class SqliteStore implements MembershipStore {
  readonly #file: string;
  readonly #db: DatabaseSync;

  /**
   * Opens or creates the file, which only its owner can read: it holds the node's key.
   * @param limit pages of 4 KiB that the file may take; as on a disk that is full then
   * @throws GodwitError('state_in_use') if another daemon has it open, ('corrupt') or ('io') with the reason
   */
  constructor(file: string, limit?: { readonly pages: number }) {
    this.#file = file;
    this.#db = this.#attempt(() => {
      closeSync(openSync(file, 'a', 0o600));
      return new DatabaseSync(file);
    });
    try {
      this.#attempt(() => this.#prepare(limit?.pages));
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  #prepare(pages: number | undefined): void {
    const db = this.#db;
    // Exclusive before the log is switched on: then SQLite needs no shared memory file beside it either.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    // The lock is taken by the first write.
    db.exec('BEGIN IMMEDIATE');
    const layout = db.prepare('PRAGMA user_version').get()?.['user_version'];
    if (layout === 0) {
      db.exec(
        `CREATE TABLE state (part TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT; PRAGMA user_version = ${LAYOUT}`,
      );
    } else if (layout !== LAYOUT) {
      db.exec('ROLLBACK');
      throw new GodwitError(
        'version_mismatch',
        `${this.#file}: layout ${String(layout)} is of another Godwit: start that one, or choose another --state`,
      );
    }
    db.exec('COMMIT');
    if (pages !== undefined) db.exec(`PRAGMA max_page_count = ${pages}`);
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') throw new GodwitError('corrupt', `${this.#file}: ${String(check)}: ${RESTORE}`);
  }

  load(): ClusterState {
    const rows = this.#attempt(() => this.#db.prepare('SELECT part, value FROM state').all());
    // Each part is decoded by its own codec of the table that ClusterState is inferred from.
    const state: Partial<Record<keyof ClusterState, unknown>> = {};
    for (const { part, value } of rows) {
      const name = PARTS.find((known) => known === part);
      if (!name || !(value instanceof Uint8Array)) {
        throw new GodwitError('corrupt', `${this.#file}: unknown part ${String(part)}: ${RESTORE}`);
      }
      try {
        // Copied: byte strings of the decoded value are views of it.
        state[name] = decode<unknown>(STATE[name], new ByteReader(Uint8Array.from(value)));
      } catch (error) {
        throw new GodwitError('corrupt', `${this.#file}: part ${name} cannot be read: ${RESTORE}`, { cause: error });
      }
    }
    return state as ClusterState;
  }

  save(change: ClusterState): void {
    this.#attempt(() => {
      const put = this.#db.prepare('INSERT OR REPLACE INTO state (part, value) VALUES (?, ?)');
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        for (const part of PARTS) {
          const value = change[part];
          if (value !== undefined) put.run(part, encode(STATE[part] as Codec<unknown>, value));
        }
        this.#db.exec('COMMIT');
      } catch (error) {
        // SQLite has rolled back by itself after some errors, a full disk among them.
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  close(): void {
    this.#db.close();
  }

  #attempt<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      if (error instanceof GodwitError) throw error;
      const [code, reason] = reasonOf(error);
      throw new GodwitError(code, `${this.#file}: ${reason}`, { cause: error });
    }
  }
}
