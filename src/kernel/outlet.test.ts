import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { encodeUtf8 } from '../base/bytes.ts';
import { Waiting } from '../base/waiting.ts';
import type { Settled } from '../vfs/openfile.ts';
import { Outlet } from './outlet.ts';
import { settled } from './maybe.ts';
import { TestEnd } from './testing/ends.ts';
import { outcome, soFar } from './testing/harness.ts';

test('whatever is withdrawn and when, exactly the bytes that were said to be written are, in order', () => {
  const step = fc.record({
    do: fc.constantFrom('write', 'write', 'nonblock', 'withdraw', 'take', 'take', 'take'),
    size: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const end = new TestEnd();
      const outlet = new Outlet(end);
      let letter = 0;
      const pending: Waiting<Settled<number>>[] = [];
      const said: string[] = [];
      for (const { do: action, size } of steps) {
        if (action === 'write' || action === 'nonblock') {
          const text = Array.from({ length: size }, () => String.fromCharCode(97 + (letter++ % 26))).join('');
          const place = said.push('') - 1;
          const tell = (count: unknown): void => {
            said[place] = typeof count === 'number' ? text.slice(0, count) : '';
          };
          const made = outcome(settled(() => outlet.write(encodeUtf8(text), action === 'nonblock')));
          if (made instanceof Waiting) {
            made.whenDone((result) => tell(outcome(result)));
            pending.push(made);
          } else tell(made);
        } else if (action === 'withdraw') pending.splice(size % Math.max(1, pending.length), 1)[0]?.withdraw();
        else if (end.writing !== null) end.take(Math.min(size, end.writing.length));
      }
      for (const waiting of pending) waiting.withdraw();
      while (end.writing !== null) end.take();
      assert.equal(end.output, said.join(''));
      let idle = false;
      outlet.whenIdle(() => (idle = true));
      assert.ok(idle);
    }),
  );
});

test('poll waits for a write under way, and is told of the end', () => {
  const end = new TestEnd();
  const outlet = new Outlet(end);
  assert.ok(!(outlet.poll() instanceof Waiting));
  outlet.write(encodeUtf8('abc'), true);
  const [ready, withdrawn] = [outlet.poll(), outlet.poll()];
  assert.ok(ready instanceof Waiting && withdrawn instanceof Waiting);
  assert.ok(withdrawn.withdraw());
  end.failWrite(ERRNO.pipe);
  assert.deepEqual(soFar(ready), { bytes: 65_536n, hangup: true });
  assert.throws(() => outlet.write(encodeUtf8('d'), true), { message: 'pipe' });
  outlet.end();
  assert.deepEqual(outlet.poll(), { bytes: 0n, hangup: true });
  assert.throws(() => outlet.write(encodeUtf8('d'), true), { message: 'pipe' });
});
