import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { silentLog } from '../../base/env.ts';
import { makePid, moveId, nodeId } from '../../base/ids.ts';
import { ENGINE_VERSION } from '../../capture/rewriting/rewrite.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import type { ProcessSpec } from '../../migration/hosts.ts';
import type { Roles } from '../../migration/roles.ts';
import { NodeGuests } from './guests.ts';
import type { LoadedModule } from '../modules/modules.ts';
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
  const unused = (): never => assert.fail('nothing runs');
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
