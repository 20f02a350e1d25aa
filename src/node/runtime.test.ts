import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openLog } from './runtime.ts';

test('the log is lines of JSON', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'node.log');
  openLog(file, assert.fail).warn('something', { peer: 2 });
  const line = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  assert.deepEqual([line['msg'], line['peer']], ['something', 2]);
});

// It opens as any file does, and every write to it fails: as on a disk that is full.
const FULL = '/dev/full';

test(
  'a log that cannot be written says so once, and throws nothing',
  { skip: !existsSync(FULL) && 'no /dev/full' },
  () => {
    const failures: string[] = [];
    const log = openLog(FULL, ({ message }) => failures.push(message));
    for (let i = 0; i < 3; i++) log.info('something');
    assert.equal(failures.length, 1);
    assert.match(failures[0]!, /^ENOSPC/);
  },
);
