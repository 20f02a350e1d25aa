import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ERRNO } from '../../abi/errno.ts';
import { silentLog } from '../../base/env.ts';
import { incarnation, makePid, moveId, nodeId } from '../../base/ids.ts';
import { Waiting } from '../../base/waiting.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import { ENGINE_VERSION } from '../../capture/rewriting/rewrite.ts';
import { PREVIEW1_MODULE } from '../../guest/imports.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import type { ProcessSpec } from '../../migration/hosts.ts';
import type { Roles } from '../../migration/roles.ts';
import { unused } from '../../migration/testing/unused.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32 } from '../../wasm/types.ts';
import type { HomeSide } from './guest-session.ts';
import { NodeGuests } from './guests.ts';
import type { LoadedModule } from '../modules/modules.ts';
import { programOf } from '../testing/modules.ts';
import { WorkerPool } from './worker-pool.ts';

const HOME = nodeId(1);
const PID = makePid(HOME, 7);
const SPEC: ProcessSpec = {
  module: new Uint8Array(32),
  moduleBytes: 8n,
  engine: String(ENGINE_VERSION),
  memoryBytes: 0n,
  threads: 1,
  features: [],
};

const pool = new WorkerPool();
after(() => pool.close());

/** Why a node refuses to reserve what is asked for, and what it logs as an error. */
async function refusal(spec: ProcessSpec, module: () => Promise<LoadedModule>, leaving = false) {
  const refused = Promise.withResolvers<string>();
  const errors: unknown[] = [];
  const roles: Pick<Roles, 'refused' | 'reserved'> = {
    refused: (_pid, _move, reason) => refused.resolve(reason),
    reserved: () => refused.reject(new Error('reserved')),
  };
  const guests = new NodeGuests({
    self: nodeId(2),
    pool,
    homeSide: { local: unused, call: unused, attach: unused, detach: unused },
    homeCalls: new HomeCalls(unused),
    log: { ...silentLog, error: (_message, fields) => void errors.push(fields) },
    roles: () => roles as Roles,
    module,
  });
  if (leaving) guests.leave();
  guests.reserve(PID, moveId(1), spec, HOME);
  const reason = await refused.promise;
  assert.equal(guests.size, 0);
  await guests.close();
  return { reason, errors };
}

test('a process of another engine, or too large for this machine, is refused', async () => {
  const module = (): never => assert.fail('its module is not fetched');
  const other = await refusal({ ...SPEC, engine: '0' }, module);
  assert.match(other.reason, /its engine is \d+, the process's 0; install the same Godwit/);
  const large = await refusal({ ...SPEC, memoryBytes: 2n ** 62n }, module);
  assert.match(large.reason, /it needs 4611686018427387904 bytes of memory, \d+ are free there; choose another node/);
  assert.deepEqual([...other.errors, ...large.errors], []);
});

test('a node that is about to stop takes no guests any more', async () => {
  const { reason } = await refusal(SPEC, () => assert.fail('its module is not fetched'), true);
  assert.equal(reason, 'it is stopping; choose another node');
});

test('a bug while a reservation is made refuses that process, and is in the log', async () => {
  const { reason, errors } = await refusal(SPEC, () => Promise.reject(new TypeError('x is undefined')));
  assert.match(reason, /x is undefined/);
  assert.match(JSON.stringify(errors), /"reservation for process 65543".*TypeError: x is undefined/);
});

/** Asks for `fd_sync(5)` and exits with its errno. */
const program = programOf('sync', (b) => {
  const sync = b.importFunction(PREVIEW1_MODULE, 'fd_sync', [I32], [I32]);
  const exit = b.importFunction(PREVIEW1_MODULE, 'proc_exit', [I32], []);
  return b.define([], [], [], new Assembler().constant(5).op(OP.call, sync).op(OP.call, exit).done());
});

test('a bug while the image is made fails that move, and the guest goes on', async (t) => {
  const [asked, failed, ended] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<string>(),
    Promise.withResolvers<number>(),
  ];
  const errors: unknown[] = [];
  const call: HomeSide['call'] = () => {
    asked.resolve();
    return errors.length === 0 ? new Waiting(() => {}) : { errno: ERRNO.badf };
  };
  const roles: Pick<Roles, 'frozen' | 'failed' | 'ended'> = {
    frozen() {
      throw new TypeError('x is undefined');
    },
    failed: (_pid, move, reason) => failed.resolve(`${move}: ${reason}`),
    ended: (_pid, { status }) => ended.resolve(status),
  };
  const guests = new NodeGuests({
    self: HOME,
    pool,
    homeSide: { local: () => null, call, attach() {}, detach() {} },
    homeCalls: new HomeCalls(unused),
    log: { ...silentLog, error: (_message, fields) => void errors.push(fields) },
    roles: () => roles as Roles,
    module: unused,
  });
  t.after(() => guests.close());
  (await guests.create(PID, program, [], []))(incarnation(1));
  await asked.promise;
  guests.freeze(PID, moveId(3));
  assert.match(await failed.promise, /^3: .*x is undefined/);
  assert.match(JSON.stringify(errors), /"image of process 65543".*TypeError: x is undefined/);
  guests.resume(PID, incarnation(1));
  assert.equal(await ended.promise, ERRNO.badf);
});
