import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fixture } from '../../../test/support/build.ts';
import { JOBS, programPath } from './jobs.ts';

for (const job of JOBS) {
  test(`demo/${job.name}.wasm is what its source gives`, async () => {
    const { bytes } = await fixture(job.name);
    const shipped = readFileSync(programPath(job));
    assert.ok(shipped.equals(bytes), 'outdated: run "node scripts/demo-programs.ts"');
  });
}
