import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { moveId, nodeId, type NodeId } from '../base/ids.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import { Assembler } from '../capture/code/assembler.ts';
import { ONE_THREAD, type Process } from '../kernel/process.ts';
import type { Message } from '../migration/hosts.ts';
import { OP } from '../wasm/opcodes.ts';
import { NodeCore } from './core.ts';
import { programOf } from './testing/modules.ts';

const SELF = nodeId(1);
const OTHER = nodeId(2);

const endless = programOf('endless', (b) =>
  b.define([], [], [], new Assembler().raw(OP.loop, 0x40).op(OP.br, 0).op(OP.end).done()),
);

function setUp() {
  const sent: { readonly to: NodeId; readonly message: Message }[] = [];
  const core = new NodeCore({
    network: { self: SELF, send: (to, message) => void sent.push({ to, message }), hasRoom: () => true },
    whenAcknowledged: () => {},
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    log: silentLog,
    firstSerial: 1,
    nodes: { nodeState: () => 'up', nameOf: String, silence: () => assert.fail('all nodes are up') },
    module: () => assert.fail('no module is fetched'),
    ended() {},
    spawned() {},
  });
  const process = core.home.kernel.processes.spawn({
    ppid: null,
    args: ['endless'],
    env: [],
    cwd: '/',
    stdio: [null, null, null],
    listeners: [],
    preopens: [],
    stay: [],
  });
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
