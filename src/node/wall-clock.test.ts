import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fineWallClock } from './wall-clock.ts';

const START = 1_700_000_000_000;

/** A machine whose two clocks the test sets: the wall clock is seen in whole milliseconds. */
function setUp() {
  const machine = { wall: START, monotonic: 12.5 };
  const clock = fineWallClock(
    () => Math.floor(machine.wall),
    () => machine.monotonic,
  );
  const pass = (ms: number): void => {
    machine.wall += ms;
    machine.monotonic += ms;
  };
  return { machine, clock, pass };
}

test('it tells parts of milliseconds', () => {
  const { clock, pass } = setUp();
  pass(0.25);
  assert.equal(clock(), START + 0.25);
  pass(0.5);
  assert.equal(clock(), START + 0.75);
});

test('it follows a wall clock that is set, slewed, or went on while the machine was suspended', () => {
  const { machine, clock, pass } = setUp();
  for (const jump of [86_400_000, -3_600_000, 0.8, -0.8]) {
    machine.wall += jump;
    pass(1);
    assert.equal(Math.floor(clock()), Math.floor(machine.wall));
  }
});

test('it is within the system’s millisecond, and goes backwards only with that', () => {
  const step = fc.record({
    wall: fc.double({ min: -5, max: 50, noNaN: true }),
    monotonic: fc.double({ min: 0, max: 50, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      const { machine, clock } = setUp();
      let [last, lastWall] = [clock(), machine.wall];
      for (const { wall, monotonic } of steps) {
        machine.wall += wall;
        machine.monotonic += monotonic;
        const now = clock();
        assert.equal(Math.floor(now), Math.floor(machine.wall));
        if (Math.floor(machine.wall) >= Math.floor(lastWall)) assert(now >= last, `${now} after ${last}`);
        [last, lastWall] = [now, machine.wall];
      }
    }),
  );
});
