import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withTerminalSize } from './terminal-size.ts';

test('the size of the terminal is in the environment, unless the user has said another', () => {
  const size = { columns: 91, rows: 17 };
  assert.deepEqual(withTerminalSize(['A=b=c'], size), ['A=b=c', 'COLUMNS=91', 'LINES=17']);
  assert.deepEqual(withTerminalSize(['COLUMNS=4', 'LINES='], size), ['COLUMNS=4', 'LINES=']);
  assert.deepEqual(withTerminalSize(['XCOLUMNS=4'], { columns: 91, rows: 0 }), ['XCOLUMNS=4', 'COLUMNS=91']);
  assert.deepEqual(withTerminalSize(['A=b'], null), ['A=b']);
});
