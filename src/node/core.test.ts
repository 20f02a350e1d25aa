import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moveId, nodeId, type NodeId } from '../base/ids.ts';
import { ONE_THREAD, type Process } from '../kernel/process.ts';
import type { Message } from '../migration/hosts.ts';
import { endless, newCore, SELF, spawn } from './testing/cores.ts';

const OTHER = nodeId(2);

function setUp() {
  const sent: { readonly to: NodeId; readonly message: Message }[] = [];
  const core = newCore({
    network: { self: SELF, send: (to, message) => void sent.push({ to, message }), hasRoom: () => true },
  });
  const process = spawn(core);
  const request = ({ pid }: Process): void => core.receive(OTHER, { frame: 'request', ticket: 5, pid, target: OTHER });
  return { core, process, request, sent };
}

test('a move that another node wants of a process that is being started waits for it', async () => {
  const { core, process, request, sent } = setUp();
  const started = core.start(process, endless);
  request(process);
  assert.equal(sent.length, 0);
  await started;
  await core.started(process.pid);
  assert.deepEqual(
    sent.map(({ to, message }) => [to, message.frame]),
    [[OTHER, 'prepare']],
  );
  await core.close();
});

test('one that could not be started is no process', async () => {
  const { core, process, request, sent } = setUp();
  const started = core.start(process, { ...endless, rewritten: new WebAssembly.Module(endless.original.slice()) });
  request(process);
  await assert.rejects(started);
  await core.started(process.pid);
  const [answer] = sent;
  assert(answer?.message.frame === 'answer');
  assert.equal(answer.message.code, 'unknown_process');
  await core.close();
});

test('one that is held executes nothing before it is let go', async () => {
  const { core, process } = setUp();
  await core.start(process, endless, true);
  assert.equal(process.stateWith(ONE_THREAD), 'stopped');
  const session = core.guests.session(process.pid);
  assert(session);
  // A move can take it up where it is: at its start.
  const frozen = new Promise<void>((resolve) => {
    core.roles.frozen = () => resolve();
  });
  core.guests.freeze(process.pid, moveId(1));
  await frozen;
  await core.close();
});
