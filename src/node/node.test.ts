import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import { makePid, nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { Assembler } from '../capture/code/assembler.ts';
import type { ClusterView, Member } from './cluster/cluster-view.ts';
import type { RunSpec } from './daemon.ts';
import { LogBook } from './log-book.ts';
import { ModuleStore } from './modules/modules.ts';
import { Node } from './node.ts';
import { nullIo } from './null-stdio.ts';
import { newCore, SELF } from './testing/cores.ts';
import { programOf } from './testing/modules.ts';

const OTHER = nodeId(2);

const idle = programOf('idle', (b) => b.define([], [], [], new Assembler().done()));

function member(id: Member['id']): Member {
  const unused = () => assert.fail('no other node is asked');
  return { id, name: `n${id}`, processes: unused, kill: unused, wait: unused };
}

const cluster: ClusterView = {
  resolve: () => member(OTHER),
  homeOf: () => member(SELF),
  nameOf: (id) => `n${id}`,
  requireAnswering() {},
  peers: () => [],
  nodes: () => assert.fail('no list is asked for'),
  nextUp: () => OTHER,
  token: () => assert.fail('no token is asked for'),
};

test('the log of a detached process that could not be placed is forgotten like those of others that have ended', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'godwit-node-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const program = path.join(directory, 'idle.wasm');
  writeFileSync(program, idle.original.slice());
  const core = newCore();
  const book = new LogBook(() => 1);
  const self = { id: SELF, name: 'n1', address: '' };
  const modules = new ModuleStore(path.join(directory, 'modules'), silentLog);
  const node = new Node({ self, core, modules, book, cluster, close: () => core.close() });
  t.after(() => node.shutdown());
  const pinned: RunSpec = {
    program,
    args: ['idle'],
    env: [],
    cwd: directory,
    umask: 0,
    dirs: [],
    listen: [],
    pin: true,
    detach: true,
    hopMicros: null,
    node: 'n2',
  };
  await assert.rejects(node.run(pinned, nullIo()), { code: 'cannot_move' });
  const first = makePid(SELF, 1);
  assert.ok(book.knows(first));
  for (let serial = 2; serial <= LIMITS.rememberedEnds + 1; serial++) {
    const log = book.detached();
    log.started(makePid(SELF, serial));
    log.ended();
  }
  assert.equal(book.knows(first), false);
});
