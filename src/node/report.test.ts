import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteWriter } from '../base/bytes.ts';
import { list, str } from '../base/schema.ts';
import { ONE_THREAD } from '../kernel/process.ts';
import { Harness } from '../kernel/testing/harness.ts';
import { processInfo } from './report.ts';

test('a command line takes no more of a list of processes than its share', () => {
  const words = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(words, fc.integer({ min: 16, max: 400 }), (args, most) => {
      const wellFormed = args.map((word) => word.toWellFormed());
      const { process } = new Harness({ args: wellFormed });
      const { command } = processInfo(process, 0, ONE_THREAD, most);
      const writer = new ByteWriter();
      list(str).write(writer, command);
      // The count, and the mark of what was cut.
      assert.ok(writer.done().length <= most + 4 + 7);
      const whole = wellFormed.every((word, i) => word === command[i]);
      assert.ok(whole || command.at(-1)?.endsWith('…'));
    }),
  );
});
