import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KERNELS, REAL_KERNELS } from '../../bench/kernels.ts';
import { isRealFetched } from '../support/real.ts';
import { reference } from '../support/reference.ts';

for (const { name, tiny, checksum, load } of KERNELS) {
  test(`the kernel ${name} does the work that its checksum stands for`, async () => {
    const { status, stdout } = await reference((await load()).path, { args: tiny.split(' ') });
    assert.equal(status, 0);
    assert.equal(stdout.trim().split('\n').at(-1), `${name} checksum ${checksum}`);
  });
}

for (const { name, program, tiny, checksum, directory, load } of REAL_KERNELS) {
  test(`${name} computes what its checksum stands for`, async (t) => {
    // Nothing is fetched for a test: `npm run bench -- overhead real` does it.
    if (!(await isRealFetched(program))) return t.skip('its package has not been fetched');
    const { status, stdout } = await reference((await load()).path, {
      args: tiny.split(' '),
      dirs: { '.': directory },
    });
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(` checksum ${checksum}\\n$`));
  });
}
