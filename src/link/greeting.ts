/**
 * What two nodes must agree on before anything else: protocol version, capabilities, cluster, identity. Mixed builds
 * work together as far as they can, and otherwise refuse with a sentence that tells both sides what to do.
 */
import type { NodeId } from '../base/ids.ts';
import type { FrameOf } from './frames.ts';
import type { REFUSALS } from './frames/session.ts';

/** The versions of the protocol that this build speaks. A change that old builds cannot live with raises both. */
export const PROTOCOL = { min: 5, max: 5 } as const;

/** What a node's program is and can do. */
export interface Build {
  readonly build: string;
  /** What this build can do, as names that never change their meaning. */
  readonly capabilities: readonly string[];
  /** Those that a peer must have too. */
  readonly required: readonly string[];
}

/** This node, as it introduces itself. */
export interface Identity extends Build {
  readonly cluster: string;
  readonly node: NodeId;
  /** Drawn at random at every start of the node. */
  readonly boot: bigint;
}

export interface Refusal {
  readonly code: (typeof REFUSALS)[number];
  readonly reason: string;
}

/** What the link knows of its peer once they agree. */
export interface Agreement {
  readonly protocol: number;
  readonly build: string;
  /** What both can do. */
  readonly capabilities: ReadonlySet<string>;
  readonly boot: bigint;
}

/** What both greetings say. */
type Greeting = Pick<FrameOf<'hello'>, 'build' | 'capabilities' | 'required' | 'boot'>;

/** What a greeting says of the link itself: see Session. */
interface Standing {
  readonly id: bigint;
  readonly established: boolean;
  readonly received: number;
}

const introduction = ({ build, capabilities, required, boot }: Identity): Greeting => ({
  build,
  capabilities,
  required,
  boot,
});

/** @param generation of the connection that was open last */
export function helloOf(self: Identity, session: Standing, generation: number): FrameOf<'hello'> {
  return {
    frame: 'hello',
    protocolMin: PROTOCOL.min,
    protocolMax: PROTOCOL.max,
    ...introduction(self),
    cluster: self.cluster,
    node: self.node,
    session: session.id,
    fresh: !session.established,
    received: session.received,
    generation,
  };
}

/** @param generation of the connection that is about to be open */
export function welcomeOf(
  self: Identity,
  { protocol }: Agreement,
  session: Standing,
  generation: number,
): FrameOf<'welcome'> {
  return {
    frame: 'welcome',
    protocol,
    ...introduction(self),
    session: session.id,
    received: session.received,
    generation,
  };
}

/** The highest version that both speak, or null. */
export function commonProtocol(theirs: { readonly protocolMin: number; readonly protocolMax: number }): number | null {
  const highest = Math.min(PROTOCOL.max, theirs.protocolMax);
  return highest >= Math.max(PROTOCOL.min, theirs.protocolMin) ? highest : null;
}

/** The acceptor's check of `hello`. @param peer the node that the certificate names */
export function checkHello(self: Identity, hello: FrameOf<'hello'>, peer: NodeId): Agreement | Refusal {
  if (hello.cluster !== self.cluster) {
    return { code: 'identity', reason: `this is cluster ${self.cluster}, not ${hello.cluster}` };
  }
  if (hello.node !== peer) {
    return { code: 'identity', reason: `the certificate is node ${peer}'s, the greeting node ${hello.node}'s` };
  }
  const protocol = commonProtocol(hello);
  if (protocol === null) return { code: 'version', reason: versionReason(self.build, hello) };
  return checkCapabilities(self, hello, protocol);
}

/** The dialer's check of `welcome`. */
export function checkWelcome(self: Identity, welcome: FrameOf<'welcome'>): Agreement | Refusal {
  const { protocol, build } = welcome;
  if (protocol < PROTOCOL.min || protocol > PROTOCOL.max) {
    return {
      code: 'version',
      reason: versionReason(self.build, { protocolMin: protocol, protocolMax: protocol, build }),
    };
  }
  return checkCapabilities(self, welcome, protocol);
}

function versionReason(
  ownBuild: string,
  theirs: { readonly protocolMin: number; readonly protocolMax: number; readonly build: string },
): string {
  return (
    `build ${ownBuild} speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, ` +
    `build ${theirs.build} ${theirs.protocolMin} to ${theirs.protocolMax}: install the same Godwit on both nodes`
  );
}

/** What one of two builds lacks that the other requires, in words for both; null: nothing. */
export function lackingCapabilities(self: Build, theirs: Build): string | null {
  const lacks = (one: Build, other: Build): string[] =>
    other.required.filter((name) => !one.capabilities.includes(name)).map((name) => `build ${one.build} lacks ${name}`);
  const lacking = [...lacks(theirs, self), ...lacks(self, theirs)];
  return lacking.length === 0 ? null : `${lacking.join(', ')}: install the same Godwit on both nodes`;
}

function checkCapabilities(self: Identity, theirs: Greeting, protocol: number): Agreement | Refusal {
  const reason = lackingCapabilities(self, theirs);
  if (reason !== null) return { code: 'capability', reason };
  const capabilities = new Set(self.capabilities).intersection(new Set(theirs.capabilities));
  return { protocol, build: theirs.build, capabilities, boot: theirs.boot };
}
