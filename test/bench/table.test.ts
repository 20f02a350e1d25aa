import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from '../../bench/table.ts';

test('columns are aligned, numbers to the right, what is missing is a dash', () => {
  const columns = [
    { key: 'name', meaning: '' },
    { key: 'time_ms', digits: 1, meaning: '' },
    { key: 'count', digits: 0, meaning: '' },
  ];
  const rows = [
    { name: 'a long name', time_ms: 1234.56, count: 7 },
    { name: 'b', time_ms: null, count: 12 },
  ];
  assert.equal(
    table(columns, rows),
    ['name         time_ms  count', 'a long name   1234.6      7', 'b                  -     12'].join('\n'),
  );
  assert.equal(table(columns, []), 'name  time_ms  count');
});
