import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line } from '../wasm/disassemble.ts';
import { changes, listing } from './listing.ts';

const lines = (...texts: string[]): Line[] =>
  texts.map((text, offset) => ({ offset, depth: text.length - text.trimStart().length, text: text.trimStart() }));

test('changes: kept, taken out and added, indented as after', () => {
  const before = lines('block', ' call 1', ' drop', 'end');
  const after = lines('loop', ' block', '  call 2', '  drop', ' end', 'end');
  assert.deepEqual(changes(before, after), [
    '+ loop',
    '    block',
    '-     call 1',
    '+     call 2',
    '      drop',
    '    end',
    '+ end',
  ]);
  assert.deepEqual(
    changes(before, before),
    listing(before).map((line) => `  ${line}`),
  );
  assert.deepEqual(changes([], lines('nop')), ['+ nop']);
  assert.deepEqual(changes(lines('nop'), []), ['- nop']);
});

test('of functions too large to compare, all before and all after', () => {
  const large = lines(...Array.from({ length: 6000 }, () => 'nop'));
  const shown = changes(large, large);
  assert.equal(shown.length, 12_000);
  assert.deepEqual([shown[0], shown.at(-1)], ['- nop', '+ nop']);
});
