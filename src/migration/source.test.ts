import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { incarnation, makePid, moveId, nodeId } from '../base/ids.ts';
import { VirtualClock } from '../base/virtual.ts';
import { Guests } from './guests.ts';
import type { Message, SourceHost } from './hosts.ts';
import { Source } from './source.ts';
import { NO_GUEST } from './testing/unused.ts';

const SELF = nodeId(2);
const HOME = nodeId(1);
const PID = makePid(HOME, 7);
const [FIRST, MOVE] = [incarnation(1), moveId(3)];

test('home hears at once of a guest that has left its code and of which no image comes', () => {
  const sent: (Message & { readonly to: number })[] = [];
  const events: string[] = [];
  const send = (to: number, message: Message): void => void sent.push({ to, ...message });
  const clock = new VirtualClock();
  const guests = new Guests(SELF, NO_GUEST, send, clock, silentLog);
  const host: SourceHost = {
    freeze: () => void events.push('freeze'),
    resume: () => void events.push('resume'),
  };
  const source = new Source(guests, host, { send, hasRoom: () => true }, clock, silentLog);
  guests.add(PID, HOME, FIRST, false, { name: 'running' });
  source.freeze(HOME, { frame: 'freeze', pid: PID, move: MOVE, incarnation: FIRST, destination: nodeId(3) });
  sent.length = 0;
  source.failed(PID, moveId(2), 'of an earlier move');
  assert.deepEqual(sent, []);
  source.failed(PID, MOVE, 'no room');
  assert.deepEqual(sent, [{ to: HOME, frame: 'failed', pid: PID, move: MOVE, reason: 'no room' }]);
  source.goOn(HOME, { frame: 'go_on', pid: PID, move: MOVE, incarnation: FIRST, stopped: false });
  assert.deepEqual(events, ['freeze', 'resume']);
});
