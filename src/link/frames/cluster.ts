/** Frames of the membership. `join` and its answers are the only ones that a peer without a certificate may use. */
import { nodeId } from '../../base/ids.ts';
import { branded, bytes, list, oneOf, str, struct, u16, u64 } from '../../base/schema.ts';
import { capabilities } from './session.ts';
import type { FrameTable } from './table.ts';

const node = branded(u16, 'node id', nodeId);

/** A certificate or a public key, DER: less than 1 KiB with ECDSA on P-256. */
const derBytes = bytes(8 * 1024);

/** What the cluster knows of one of its nodes. */
export const member = struct({
  node,
  name: str,
  address: str,
  fingerprint: bytes(32),
  boot: u64,
  state: oneOf('up', 'unreachable', 'down', 'left'),
});

export const CLUSTER_FRAMES = {
  members: {
    type: 0x20,
    doc: 'From the founding node: all members, whenever one of them changes and at the start of a session. A list with an older `version` than the known one is ignored.',
    fields: { version: u64, founder: node, members: list(member) },
  },
  announce: {
    type: 0x21,
    doc: 'To the founding node at the start of a session: the address that the sender listens on now.',
    fields: { address: str },
  },
  join: {
    type: 0x30,
    doc: 'A new node asks to be admitted: the parts of the token, what it calls itself, and its public key (SubjectPublicKeyInfo, DER).',
    fields: {
      protocolMin: u16,
      protocolMax: u16,
      build: str,
      capabilities,
      required: capabilities,
      token: bytes(8),
      secret: bytes(32),
      name: str,
      address: str,
      publicKey: derBytes,
    },
  },
  joined: {
    type: 0x31,
    doc: 'The new node is a member: its id, its certificate, the certificate of the cluster authority, and the members.',
    fields: {
      cluster: str,
      node,
      certificate: derBytes,
      authority: derBytes,
      version: u64,
      founder: node,
      members: list(member),
    },
  },
  join_refused: {
    type: 0x32,
    doc: 'The new node is not admitted. `code` is one of the error codes of base/errors.ts.',
    fields: { code: oneOf('token_invalid', 'version_mismatch', 'usage', 'limit', 'io'), reason: str },
  },
} as const satisfies FrameTable;
