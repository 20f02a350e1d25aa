import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { requireProgramFile } from './program-file.ts';

test('a file that cannot even be looked at is told with a way out that fits', (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'godwit-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  symlinkSync('round.wasm', path.join(directory, 'round.wasm'));
  const refused = (name: string, reason: string): void => {
    const message = `cannot run ${name}: ${reason}`;
    const require = (): void => requireProgramFile('run', name, path.join(directory, name));
    assert.throws(require, { code: 'not_runnable', message });
  };
  refused('round.wasm', 'too many symbolic links; give the path of the file itself');
  refused('x'.repeat(256), 'the name is too long; check the path');
});
