/** Builds every guest program into the cache (test/support/build.ts), so that the tests need not. */
import { fixture } from '../test/support/build.ts';
import { FIXTURES } from '../test/support/fixtures.ts';

for (const name of Object.keys(FIXTURES)) {
  const { path, bytes } = await fixture(name);
  console.log(`${name.padEnd(24)} ${String(bytes.length).padStart(8)}  ${path}`);
}
