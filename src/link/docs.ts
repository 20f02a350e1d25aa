/** docs/PROTOCOL.md, made from the table of frames; the text that no table holds stands here, beside it. */
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { FRAME_GROUPS, HEADER, HEADER_BYTES } from './frames.ts';
import type { FrameGroup, FrameSpec } from './frames/table.ts';
import { PROTOCOL } from './greeting.ts';

const HEADER_MEANING: Readonly<Record<keyof typeof HEADER, string>> = {
  length: `bytes of the fields behind the header, at most ${LIMITS.frameBytes}`,
  type: 'which frame of the tables below',
  sequence: 'number of the frame in its session; 0 in session frames, which have none',
  acknowledged: 'the last sequence number that the sender has received',
};

/** @returns docs/PROTOCOL.md as text */
export function renderProtocol(): string {
  return [
    '# The protocol between nodes',
    '<!-- Generated from the tables in src/link/frames/ by `node scripts/docs.mjs`; do not edit. -->',
    INTRODUCTION,
    '## Frame',
    `A frame is a header of ${HEADER_BYTES} bytes, then its fields in the order of its table. All numbers are`,
    'little-endian; there is no padding and there are no tags.',
    '',
    table(
      ['header field', 'type', 'meaning'],
      Object.entries(HEADER).map(([name, codec]) => [name, codec.type, HEADER_MEANING[name as keyof typeof HEADER]]),
    ),
    SEQUENCES,
    '## Waits',
    'In milliseconds; src/base/timing.ts gives the reasons.',
    '',
    table(
      ['wait', 'milliseconds'],
      Object.entries(TIMING).map(([name, value]) => [name, String(value)]),
    ),
    ...FRAME_GROUPS.map(groupText),
  ].join('\n');
}

function groupText({ title, from, to, frames }: FrameGroup): string {
  const texts = Object.entries(frames).map(frameText);
  return `## ${title} (${hex(from)} to ${hex(to)})\n${texts.join('\n')}`;
}

function frameText([name, { type, doc, fields }]: readonly [string, FrameSpec]): string {
  const rows = Object.entries(fields).map(([field, codec]) => [field, codec.type]);
  return `### ${hex(type)} ${name}\n${doc}\n${rows.length > 0 ? `\n${table(['field', 'type'], rows)}` : ''}`;
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return row(head) + row(head.map(() => '---')) + rows.map(row).join('');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

const INTRODUCTION = `
Nodes speak over TLS 1.3, on which both sides show a certificate of the cluster authority; who the peer is comes from
its certificate (organization: cluster id, common name: \`node-<id>\`). One TCP port serves links (ALPN \`godwit-link\`)
and the exchange with which a new node joins (ALPN \`godwit-join\`).

Every pair of nodes has one **link**. A link is carried by one **connection** at a time, and holds one **session** at a
time. A broken connection is a pause: the session goes on with the next one. Within a session every frame arrives once
and in order. A session ends when one side does not know it any more (it has restarted), when more than
${LIMITS.linkQueueBytes} bytes wait for the peer, when the peer breaks the protocol, or with \`goodbye\`; then both sides are told
that everything under way is lost.

Protocol version: this build speaks ${PROTOCOL.min} to ${PROTOCOL.max}. A new frame or field comes with a new **capability**, a name in both
greetings; who does not find it in the peer's greeting does not use it.
`;

const SEQUENCES = `
## Sequences

### Greeting

    dialer                                              acceptor
      | -- hello (session s, received r, generation g) --> |
      | <-- welcome (session t, received q, generation) -- |
      | -- frames behind q -->      <-- frames behind r -- |

If t is s, the session goes on and each side sends again what the other has not received. Otherwise the dialer learns
that s is lost and goes on with t, whose first frame follows the low 32 bits of t; sequence numbers wrap at 2^32.
\`fresh\` says that the dialer only proposes s: an acceptor without a session takes it.

### Two connections at once

Both sides may dial. An acceptor answers \`refuse\` (\`glare\`) to a \`hello\`

1. while its own \`hello\` waits for \`welcome\` and its node id is the lower one, or
2. while a connection that it has dialed is open and \`generation\` is older than that connection: the \`hello\` was
   sent before.

Otherwise the new connection replaces what there was, because the peer would not dial if it still had a connection.

### Acknowledgement, heartbeat

Every frame carries the last sequence number received in its header; \`ack\` carries nothing else and is sent
${TIMING.ackDelayMs} ms after a frame that nothing was sent back for, or after every ${LIMITS.linkUnackedBytes / 8} bytes. \`ping\` goes out every
${TIMING.heartbeatMs} ms. A connection on which nothing is heard for ${TIMING.silentMs} ms is closed; a peer that is not heard for as long is
\`unreachable\`, and ${TIMING.downMs} ms later \`down\`.

### Joining

    new node                                             member that keeps the list
      | ---- TLS; the authority in the server's chain -->  |
      |      has the fingerprint that the token names      |
      | -- join (token id and secret, name, key) --------> |
      | <-- joined (id, certificate, members) ------------ |   or join_refused

A token is \`gdw1.\` and base64url of: SHA-256 of the authority's certificate (32 bytes), token id (8), secret (32). It is
good for one node and ${TIMING.tokenLifetimeMs / 60_000} minutes. A node that has lost the answer may ask again with the same key. A stranger may
send one frame of at most ${LIMITS.joinFrameBytes} bytes within ${TIMING.joinMs} ms.

### Membership

The founding node keeps the list of members and sends \`members\` to everyone at every change and at the start of a
session. Members send it \`announce\`, so that a node may change its address. A member keeps a copy on disk.

### Moving a process

The table of what happens when, and what if it fails, is at the head of src/migration/home.ts.
`;
