import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainSilence } from './silence.ts';

test('whoever hears that a node does not answer hears which one, and what helps', () => {
  const node = { name: 'beta', address: '10.0.0.2:7370', refusal: null };
  const ways = {
    unknown: /node beta is no member .*"godwit nodes"/,
    down: /node beta does not answer: it is down; "godwit up" on its machine \(10\.0\.0\.2:7370\)/,
    unreachable: /node beta \(10\.0\.0\.2:7370\) does not answer at present; "godwit nodes"/,
    up: /node beta \(10\.0\.0\.2:7370\) has lost what it was asked; try again/,
  } as const;
  for (const state of ['unknown', 'down', 'unreachable', 'up'] as const) {
    assert.match(explainSilence({ ...node, state }), ways[state]);
  }
  const refused = explainSilence({ ...node, state: 'down', refusal: 'it is of another time: change that' });
  assert.equal(refused, 'node beta cannot work with this one: it is of another time: change that');
});
