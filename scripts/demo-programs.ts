/** Builds demo/*.wasm from test/programs/: the published package runs them and has no compiler. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { JOBS, programPath } from '../src/cli/demo/jobs.ts';
import { fixture } from '../test/support/build.ts';

for (const job of JOBS) {
  const { bytes } = await fixture(job.name);
  const file = programPath(job);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
  console.log(`${path.relative('.', file)}: ${bytes.length} bytes`);
}
