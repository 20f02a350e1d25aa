/** Links on a network that fails in every way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '../base/ids.ts';
import { storms } from '../base/testing/seeds.ts';
import { CALM, STORM } from './testing/network.ts';
import { A, B, TestNode, setUp } from './testing/nodes.ts';

test('under a storm every frame arrives once and in order, or its loss is told', (t) => {
  storms(t, 300, storm);
});

/** Two nodes send numbered frames through a network that fails in every way, and restart now and then. */
function storm(seed: number): void {
  const { network, clock, random } = setUp(seed, { ...STORM, delayMs: 1 + (seed % 50) });
  let boots = 0n;
  const start = (id: NodeId): TestNode => {
    const node = new TestNode(network, id, ++boots);
    const other = id === A ? B : A;
    // Sometimes only one side knows where the other is.
    node.links.add(other, id === A || seed % 3 !== 0 ? `node${other}` : '');
    return node;
  };
  let a = start(A);
  let b = start(B);
  const lives: TestNode[] = [a, b];
  for (let step = 0; step < 60; step++) {
    const [from, to] = random.oneIn(2) ? [a, B] : [b, A];
    for (let i = random.below(4); i >= 0; i--)
      from.say(to, `${from.boot}:${from.sent}${' '.repeat(random.oneIn(4) ? random.below(60_000) : 0)}`);
    if (random.oneIn(20)) network.part(A, B);
    if (random.oneIn(5)) network.heal(A, B);
    if (random.oneIn(10)) network.cut(A, B);
    if (random.oneIn(40)) {
      const [dead, id] = random.oneIn(2) ? [a, A] : [b, B];
      dead.host.kill(random.oneIn(2));
      const born = start(id);
      lives.push(born);
      if (id === A) a = born;
      else b = born;
    }
    clock.advance(random.below(400));
  }
  network.heal(A, B);
  network.weather = CALM;
  assert(
    clock.runUntil(() => a.links.isUp(B) && b.links.isUp(A), 120_000),
    'the link comes up when the network is calm',
  );
  clock.advance(30_000);
  a.say(B, 'last of a');
  b.say(A, 'last of b');
  clock.advance(5000);
  assert.equal(b.received.at(-1)?.at(-1), 'last of a');
  assert.equal(a.received.at(-1)?.at(-1), 'last of b');
  assert.equal(network.connections, 1, 'one connection is left');
  for (const life of lives) for (const part of life.received) checkOrder(part);
  if (lives.length === 2) {
    assert.deepEqual([a.resets, b.resets], [0, 0], 'nothing is lost without a restart');
    assert.deepEqual([a.received[0]?.length, b.received[0]?.length], [b.sent, a.sent], 'everything has arrived');
  }
}

/** Between two resets come frames of one life of the peer, without a gap and without a repetition. */
function checkOrder(part: readonly string[]): void {
  const numbered = part.filter((line) => line.includes(':')).map((line) => line.split(':'));
  const [boot, start] = numbered[0] ?? [];
  numbered.forEach((line, i) => assert.deepEqual(line, [boot, `${Number(start) + i}`]));
}
