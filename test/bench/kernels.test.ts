import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KERNELS } from '../../bench/kernels.ts';
import { reference } from '../support/reference.ts';

for (const { name, tiny, checksum, load } of KERNELS) {
  test(`the kernel ${name} does the work that its checksum stands for`, async () => {
    const { status, stdout } = await reference((await load()).path, { args: tiny.split(' ') });
    assert.equal(status, 0);
    assert.equal(stdout.trim().split('\n').at(-1), `${name} checksum ${checksum}`);
  });
}
