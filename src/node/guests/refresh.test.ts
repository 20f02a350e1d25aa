import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attention, ControlBlock } from '../../guest/control.ts';
import { REFRESH_MS, Refresher } from './refresh.ts';

test('a thread is refreshed while it has slow loops, and not any more when it has left its code', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const control = new ControlBlock(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  const refresher = new Refresher(control);
  let now = 0;
  const seen = REFRESH_MS.map(() => 0);
  const pass = (slow: boolean): number[] => {
    refresher.begin();
    now = 0;
    for (const [i, ms] of REFRESH_MS.entries()) {
      control.slow = slow && i < 2;
      t.mock.timers.tick(ms - now);
      now = ms;
      seen[i] = control.attention;
      control.lower(Attention.refresh);
    }
    return seen;
  };
  assert.deepEqual(pass(true), [Attention.refresh, Attention.refresh, 0, 0]);
  assert.deepEqual(pass(false), [0, 0, 0, 0]);
  refresher.begin();
  control.slow = true;
  t.mock.timers.tick(REFRESH_MS[0]!);
  assert.equal(control.attention, Attention.refresh);
  refresher.end();
  t.mock.timers.tick(1000);
  assert.equal(control.attention, 0);
});
