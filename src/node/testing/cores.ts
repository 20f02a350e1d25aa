/** The core of a node without a network: what runs on it, and the process for that. */
import assert from 'node:assert/strict';
import { silentLog } from '../../base/env.ts';
import { nodeId } from '../../base/ids.ts';
import { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import type { Process } from '../../kernel/process.ts';
import { SPEC } from '../../kernel/testing/harness.ts';
import { OP } from '../../wasm/opcodes.ts';
import { type CoreOptions, NodeCore } from '../core.ts';
import { programOf } from './modules.ts';

/** The node whose core it is. */
export const SELF = nodeId(1);

/** A program that computes for ever. */
export const endless = programOf('endless', (b) =>
  b.define([], [], [], new Assembler().raw(OP.loop, 0x40).op(OP.br, 0).op(OP.end).done()),
);

/** @param more what is not as in a node that no other one hears or asks */
export function newCore(more: Partial<CoreOptions> = {}): NodeCore {
  return new NodeCore({
    network: { self: SELF, send() {}, hasRoom: () => true },
    whenAcknowledged() {},
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    log: silentLog,
    firstSerial: 1,
    nodes: { nodeState: () => 'up', nameOf: String, silence: () => assert.fail('all nodes are up') },
    module: () => assert.fail('no module is fetched'),
    ended() {},
    spawned() {},
    ...more,
  });
}

/** A process that has not started. */
export const spawn = (core: NodeCore): Process => core.home.kernel.processes.spawn(SPEC);
