/**
 * Frames of the session itself. They are not numbered and not replayed: each belongs to one connection. All but
 * `hello` and `welcome` may come at any time after these two.
 */
import { nodeId } from '../../base/ids.ts';
import { bool, branded, f64, list, oneOf, str, u16, u32, u64 } from '../../base/schema.ts';
import { LIMITS } from '../../base/limits.ts';
import type { FrameTable } from './table.ts';

/** Why a peer is refused: `glare` is no failure, the other connection of the same pair has won. */
export const REFUSALS = ['version', 'capability', 'identity', 'not_a_member', 'glare', 'protocol'] as const;

const node = branded(u16, 'node id', nodeId);
export const capabilities = list(str, LIMITS.namesInMessage);

export const SESSION_FRAMES = {
  hello: {
    type: 0x01,
    doc: 'First frame of the side that has connected. `session` is the session that it wants to go on with (`fresh`: that it proposes), `received` the last sequence number that it got in it, `generation` counts the connections of the pair, `boot` is drawn anew at every start of a node.',
    fields: {
      protocolMin: u16,
      protocolMax: u16,
      build: str,
      capabilities,
      required: capabilities,
      cluster: str,
      node,
      boot: u64,
      session: u64,
      fresh: bool,
      received: u32,
      generation: u32,
    },
  },
  welcome: {
    type: 0x02,
    doc: 'The answer to `hello`. `session` is the session that goes on; if it is not the one that `hello` named, that one is lost with everything that was under way in it. `received` is the last sequence number that the sender got in it.',
    fields: {
      protocol: u16,
      build: str,
      capabilities,
      required: capabilities,
      boot: u64,
      session: u64,
      received: u32,
      generation: u32,
    },
  },
  refuse: {
    type: 0x03,
    doc: 'Ends a connection that cannot be used, with the reason in words for both logs.',
    fields: { code: oneOf(...REFUSALS), reason: str },
  },
  ack: { type: 0x04, doc: 'Carries nothing but the acknowledgement in its header.', fields: {} },
  ping: {
    type: 0x05,
    doc: "Sent at every heartbeat. `time` is the sender's own and comes back in `pong`.",
    fields: { time: f64 },
  },
  pong: { type: 0x06, doc: 'The answer to `ping`.', fields: { time: f64 } },
  goodbye: {
    type: 0x07,
    doc: 'The sender stops, or gives the link up: its session ends, and nothing more will come.',
    fields: { reason: str },
  },
} as const satisfies FrameTable;
