import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KERNELS } from '../../bench/kernels.ts';
import { addPolls } from '../../bench/overhead/polls.ts';
import { rewrite } from '../../src/capture/rewriting/rewrite.ts';

for (const { name, load } of KERNELS) {
  test(`the Asyncify variant of ${name} has the polls of Godwit's`, async () => {
    const { bytes } = await load();
    const polled = addPolls(bytes);
    assert.ok(WebAssembly.validate(polled.bytes));
    assert.equal(polled.polls, rewrite(bytes).stats.polls);
  });
}
